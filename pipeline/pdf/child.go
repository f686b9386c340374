package pdf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"time"

	"sohoa/dossier"
)

// watchEvery is how often the parent looks at a working child. In that time a
// child can grow by some tens of megabytes beyond its limit, no more.
const watchEvery = 10 * time.Millisecond

// startMemory is what compiling the second reader may take beyond a child's limit,
// once on each machine: 400 MB were measured.
const startMemory = 640 << 20

// wallFactor: how much longer by the clock than by the processor a call may take
// before the child is held to be stuck or starved.
const wallFactor = 8

// leastWall is what a call may take by the clock in any case.
const leastWall = 30 * time.Second

// cause says why a child ended.
type cause string

const (
	crashed      cause = "crash"           // it ended by itself
	crashedEarly cause = "early-crash"     // it ended by itself before it had seen anything of the document
	killedMemory cause = "memory-limit"    // we killed it
	killedTime   cause = "processor-limit" // we killed it
	killedStuck  cause = "clock-limit"     // we killed it; says nothing about the document
	killedByUs   cause = "closed"          // cancelled, replaced or the pool closed
	killedAlien  cause = "signal"          // somebody else killed it
	failedStart  cause = "second-reader"   // it ended while starting the second reader
	broken       cause = "broken-talk"     // it answered something that is no answer
)

// text is for people.
func (c cause) text() dossier.Text {
	switch c {
	case killedMemory:
		return dossier.Text{VI: "vượt giới hạn bộ nhớ", EN: "over the memory limit"}
	case killedTime:
		return dossier.Text{VI: "vượt giới hạn thời gian", EN: "over the time limit"}
	}
	return dossier.Text{VI: "chương trình đọc tệp bị lỗi", EN: "the reader broke down on it"}
}

// death is the end of a child in the midst of a call.
type death struct {
	cause cause
	cpu   time.Duration
	rss   int64
	trace []string // where it crashed: names and lines of code only
}

// ofItself reports whether the document can be blamed for the death.
func (d death) ofItself() bool {
	return d.cause == crashed || d.cause == killedMemory || d.cause == killedTime
}

// child is a child process as the parent sees it. One call at a time.
type child struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan response // closed when the child's output ends
	done    chan struct{} // closed when it has been reaped
	stderr  *tail
	since   time.Time // when it came to rest; the pool's

	mu     sync.Mutex
	cause  cause // why we killed it
	talkEr error // what was wrong with its output
}

// startChild starts a process. It gets nothing of our environment but what a
// Go program needs: credentials stay here.
func startChild(opt Options) (*child, error) {
	cmd := exec.Command(opt.Executable[0], opt.Executable[1:]...)
	cmd.Env = childEnv()
	cmd.SysProcAttr = childAttr()
	c := &child{cmd: cmd, answers: make(chan response), done: make(chan struct{}), stderr: &tail{}}
	cmd.Stderr = c.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("pdf: start child: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("pdf: start child: %w", err)
	}
	if err := start(cmd, opt.Nice); err != nil {
		return nil, fmt.Errorf("pdf: start child: %w", err)
	}
	c.in = in
	go c.listen(out)
	return c, nil
}

func childEnv() []string {
	env := []string{"GOTRACEBACK=single"}
	for _, k := range []string{"TMPDIR", "PATH", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(k); ok {
			env = append(env, k+"="+v)
		}
	}
	return env
}

// listen hands on the child's answers and reaps it.
func (c *child) listen(out io.Reader) {
	r := bufio.NewReader(out)
	for {
		var res response
		if err := readFrame(r, &res); err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				c.mu.Lock()
				c.talkEr = err
				c.mu.Unlock()
				c.kill(broken)
			}
			break
		}
		c.answers <- res
	}
	close(c.answers)
	// The error says how it ended, which ProcessState tells as well.
	_ = c.cmd.Wait()
	close(c.done)
}

func (c *child) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.cause == ""
	}
}

// kill ends the child; the first cause stays.
func (c *child) kill(why cause) {
	c.mu.Lock()
	if c.cause == "" {
		c.cause = why
	}
	c.mu.Unlock()
	// It fails where the child has ended already, which is as good.
	_ = c.cmd.Process.Kill()
	_ = c.in.Close()
	// An answer that nobody waits for any more must not hold up listen.
	go func() {
		for range c.answers {
		}
	}()
}

func (c *child) resident() int64 { return processUsage(c.cmd.Process.Pid).rss }

// call asks and waits. A death means that the child ended before it answered;
// it must not be used any more.
func (c *child) call(ctx context.Context, req request, lim Limits, pages int) (response, *death, error) {
	if err := ctx.Err(); err != nil {
		return response{}, nil, err
	}
	before := processUsage(c.cmd.Process.Pid)
	began := time.Now()
	var last usage
	opened := req.Setup == nil
	var starting bool       // the second reader
	var spent time.Duration // before that
	if err := writeFrame(c.in, req); err != nil {
		c.kill(crashed)
		d := c.autopsy(0, 0)
		if !opened && d.cause == crashed {
			d.cause = crashedEarly
		}
		return response{}, d, nil
	}
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	for {
		select {
		case res, ok := <-c.answers:
			if !ok {
				d := c.autopsy(last.cpu-before.cpu, last.rss)
				if starting && d.ofItself() {
					d.cause = failedStart
				}
				if !opened && d.cause == crashed {
					// Nothing of the document has been looked at yet.
					d.cause = crashedEarly
				}
				return response{}, d, nil
			}
			if res.Note {
				if res.Opened {
					opened = true
					continue
				}
				if pages = max(pages, res.Pages); starting && !res.Starting {
					// From here on the document pays again.
					before.cpu = processUsage(c.cmd.Process.Pid).cpu - spent
					began = time.Now()
				} else if res.Starting {
					spent = processUsage(c.cmd.Process.Pid).cpu - before.cpu
				}
				starting = res.Starting
				continue
			}
			if res.Pages == 0 {
				res.Pages = pages
			}
			res.Opened = opened
			return res, nil, res.err()
		case <-ctx.Done():
			c.kill(killedByUs)
			<-c.done
			return response{}, &death{cause: killedByUs}, nil
		case <-watch.C:
			u := processUsage(c.cmd.Process.Pid)
			if u.rss == 0 {
				continue // it has ended or is not to be measured here
			}
			last = u
			allowed := lim.Time + time.Duration(min(pages, lim.Pages))*lim.TimePerPage
			switch {
			case starting && u.rss > lim.Memory+startMemory, !starting && u.rss > lim.Memory:
				c.kill(killedMemory)
			case !starting && u.cpu-before.cpu > allowed:
				c.kill(killedTime)
			}
		}
		if allowed := lim.Time + time.Duration(min(pages, lim.Pages))*lim.TimePerPage; time.Since(began) > max(leastWall, wallFactor*allowed) {
			c.kill(killedStuck)
		}
	}
}

// autopsy waits for the end of a child whose output has ended and says why.
func (c *child) autopsy(cpu time.Duration, rss int64) *death {
	select {
	case <-c.done:
	case <-time.After(5 * time.Second): // it closed its output and lives on
		c.kill(broken)
		<-c.done
	}
	c.mu.Lock()
	why := c.cause
	c.mu.Unlock()
	if why == "" {
		why = crashed
		if killedBySignal(c.cmd.ProcessState) {
			why = killedAlien
		}
		c.mu.Lock()
		c.cause = why
		c.mu.Unlock()
	}
	return &death{cause: why, cpu: cpu, rss: rss, trace: c.stderr.trace()}
}

// tail keeps the beginning of what a child writes to its standard error: of a
// crash that is where it says why and where.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if room := tailBytes - len(t.buf); room > 0 {
		t.buf = append(t.buf, p[:min(room, len(p))]...)
	}
	return len(p), nil
}

var (
	codeLine = regexp.MustCompile(`(?m)^\s+\S*?([\w.@-]+/[\w.@-]+\.go:\d+)`)
	// What the runtime itself says of a crash, which quotes nothing.
	crashLine = regexp.MustCompile(`(?m)^(?:fatal error: (?:[a-z ]+|stack overflow)|panic: runtime error: (?:[a-z ]+))`)
)

// trace is what may be logged: the runtime's own words about the crash and the
// lines of code. Panic values and arguments could quote the document.
func (t *tail) trace() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for _, m := range crashLine.FindAll(t.buf, 2) {
		out = append(out, string(m))
	}
	for _, m := range codeLine.FindAllSubmatch(t.buf, 12) {
		out = append(out, string(m[1]))
	}
	if len(out) == 0 && len(t.buf) > 0 {
		out = append(out, "stderr: "+strconv.Itoa(len(t.buf))+" bytes, withheld")
	}
	return out
}

// usage is what a process has used.
type usage struct {
	cpu time.Duration
	rss int64
}
