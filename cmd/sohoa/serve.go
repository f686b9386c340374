package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"sohoa/storage/ledger"
	"sohoa/web"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	cert, key  string
	listen     string
	workers    int
	hotFolders []string
	plan       verifyPlan
	clean      cleanPlan
}

func newServeCommand(a *app) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Doors, workers and pages in one process",
		Long: `serve answers the HTTP API and the pages and works on what comes in, until it is
interrupted; then it takes nothing new, finishes what runs, and ends with 0.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.clean.check(); err != nil {
				return err
			}
			return a.serve(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to answer on")
	cmd.Flags().IntVar(&o.workers, "workers", 0, "documents worked on at once (default: twice the cores)")
	cmd.Flags().StringSliceVar(&o.hotFolders, "hot-folder", nil, "UNIT=DIR of a folder that sohoa watch looks after: its tray is shown, to be filed by hand")
	o.plan.flags(cmd.Flags())
	o.clean.flags(cmd.Flags())
	cmd.Flags().DurationVar(&o.clean.every, "clean-every", aDay, "how often the janitor goes over the whole archive (0: not at all)")
	cmd.Flags().StringVar(&o.cert, "tls-cert", "", "certificate file (PEM, with its chain): answer over TLS; read again when it changes")
	cmd.Flags().StringVar(&o.key, "tls-key", "", "key file of the certificate (PEM)")
	cmd.Flags().BoolVar(&a.secureCookies, "secure-cookies", false, "the pages are reached over TLS only")
	cmd.Flags().BoolVar(&a.behindProxy, "behind-proxy", false, "believe X-Forwarded-For, which a proxy sets")
	return cmd
}

func (a *app) serve(ctx context.Context, o serveOptions) error {
	if err := a.signOnSecret(); err != nil {
		return err
	}
	h, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	scheme := "http"
	var secure *tls.Config
	if o.cert != "" || o.key != "" {
		c, err := openCertificate(o.cert, o.key, h.log)
		if err != nil {
			return err
		}
		scheme, secure, a.secureCookies = "https", c.config(), true
	}
	tray, err := a.openTrays(ctx, h, o.hotFolders)
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           web.New(a.webOptions(h, tray)),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		TLSConfig:         secure,
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return h.work(gctx, ledger.WorkOptions{Workers: o.workers}) })
	g.Go(func() error { a.verifyByPlan(gctx, h, o.plan); return nil })
	g.Go(func() error { a.cleanByPlan(gctx, h, o.clean); return nil })
	g.Go(func() error {
		serve := srv.Serve
		if secure != nil {
			serve = func(ln net.Listener) error { return srv.ServeTLS(ln, "", "") }
		}
		if err := serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		// Requests under way may still wait for their verdict; a bad line may
		// not hold the program for ever.
		sctx, cancel := context.WithTimeout(context.WithoutCancel(gctx), 25*time.Second)
		defer cancel()
		return srv.Shutdown(sctx)
	})
	fmt.Fprintf(a.stdout, "sohoa serves at %s://%s\n", scheme, ln.Addr())
	return g.Wait()
}

func newWorkCommand(a *app) *cobra.Command {
	var workers int
	var plan verifyPlan
	var clean cleanPlan
	cmd := &cobra.Command{
		Use:   "work",
		Short: "Workers only; doors run elsewhere",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := clean.check(); err != nil {
				return err
			}
			h, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			defer h.Close()
			g, ctx := errgroup.WithContext(cmd.Context())
			g.Go(func() error { return h.work(ctx, ledger.WorkOptions{Workers: workers}) })
			g.Go(func() error { a.verifyByPlan(ctx, h, plan); return nil })
			g.Go(func() error { a.cleanByPlan(ctx, h, clean); return nil })
			return g.Wait()
		},
	}
	plan.flags(cmd.Flags())
	clean.flags(cmd.Flags())
	cmd.Flags().DurationVar(&clean.every, "clean-every", aDay, "how often the janitor goes over the whole archive (0: not at all)")
	cmd.Flags().IntVar(&workers, "workers", 0, "documents worked on at once (default: twice the cores)")
	return cmd
}
