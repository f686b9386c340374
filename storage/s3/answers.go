package s3

import (
	"errors"
	"net/http"
	"strings"
)

// errNotS3: something else than an S3 server answered, such as a proxy with a
// page of its own. The client library would take some such pages for an empty
// listing, or for the success of a Put.
var errNotS3 = errors.New("the answer is not one of an S3 server")

// checked refuses successful answers that no S3 server gives.
type checked struct{ next http.RoundTripper }

func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err != nil || resp.StatusCode/100 != 2 || plausible(req, resp) {
		return resp, err
	}
	return nil, errors.Join(errNotS3, resp.Body.Close())
}

func plausible(req *http.Request, resp *http.Response) bool {
	kind := resp.Header.Get("Content-Type")
	q := req.URL.Query()
	if req.Method == http.MethodGet && (q.Has("list-type") || q.Has("versions") || q.Has("uploads")) {
		return strings.Contains(kind, "xml")
	}
	// Objects may be of that type, and then have an ETag.
	return !strings.HasPrefix(kind, "text/html") || resp.Header.Get("ETag") != ""
}
