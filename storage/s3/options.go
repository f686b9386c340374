package s3

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/s3utils"

	"sohoa/storage"
)

// Style is how a bucket is addressed.
type Style string

const (
	StyleAuto        Style = ""     // virtual host at Amazon and Google, path elsewhere
	StylePath        Style = "path" // http://endpoint/bucket/key
	StyleVirtualHost Style = "host" // http://bucket.endpoint/key
)

// Encryption is how the server encrypts objects at rest.
type Encryption string

const (
	EncryptNot      Encryption = ""    // as the bucket's own default says
	EncryptS3       Encryption = "s3"  // keys managed by the server (SSE-S3)
	EncryptKMS      Encryption = "kms" // a key of the server's key service (SSE-KMS)
	EncryptCustomer Encryption = "c"   // a key that we bring with every request (SSE-C); needs https
)

// LockMode is how hard a retention is.
type LockMode string

const (
	LockGovernance LockMode = "governance" // who has a special right may end it
	LockCompliance LockMode = "compliance" // nobody may, not even root
)

// Options say where the objects are and how they are kept there.
type Options struct {
	Endpoint string // http://host:port or https://host
	Bucket   string
	Prefix   string // put before every key; empty or ending in "/"
	Region   string
	Style    Style
	CAFile   string // PEM; certificates to trust besides the system's

	// Empty keys mean: from the environment (AWS_… or MINIO_…), the shared
	// credentials file, or the machine's role.
	AccessKey, SecretKey, SessionToken string

	Encryption      Encryption
	KMSKey          string   // name of the key; empty: the server's default key
	CustomerKeyFile string   // file of 32 bytes, raw or in hexadecimal or base64
	Lock            LockMode // governance where empty
	ObjectLock      bool     // EnsureBucket makes the bucket with object lock, and asks for it

	PartSize   int64         // objects above it go up in parts of it; at least 5 MiB, 16 MiB where zero
	Parallel   int           // parts or ranges of one object at a time; 4 where zero
	Attempts   int           // tries of one request; 5 where zero
	StallAfter time.Duration // a request that moves nothing for so long is given up; 30 s where zero
}

// Parse reads s3://bucket[/prefix]?endpoint=…&region=…, with the further keys
// path-style (true or false), ca, sse (s3, kms, kms:<key> or c), sse-key-file,
// object-lock (governance or compliance), part-size (MiB), parallel and
// attempts. Credentials have no place in it: addresses get logged.
func Parse(s string) (Options, error) {
	u, err := url.Parse(s)
	if err != nil {
		// The parser's own error repeats the address.
		return Options{}, fmt.Errorf("not a store's address: it cannot be read as a URL")
	}
	if u.Scheme != "s3" || u.Host == "" || u.Opaque != "" || u.Fragment != "" {
		return Options{}, fmt.Errorf("not a store's address: s3://bucket/prefix?endpoint=https://host")
	}
	if u.User != nil {
		return Options{}, fmt.Errorf("not a store's address: credentials come from the environment, a file or a role, never from the address")
	}
	o := Options{Bucket: u.Host}
	if err := checkBucket(o.Bucket); err != nil {
		return Options{}, err
	}
	if p := strings.Trim(u.Path, "/"); p != "" {
		if err := storage.Key(p).Valid(); err != nil {
			return Options{}, fmt.Errorf("not a store's address: the prefix is no key: %w", err)
		}
		o.Prefix = p + "/"
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Options{}, fmt.Errorf("not a store's address: the part behind the question mark cannot be read")
	}
	for k, vs := range q {
		if len(vs) != 1 {
			return Options{}, fmt.Errorf("not a store's address: %q is said %d times", k, len(vs))
		}
		if err := o.set(k, vs[0]); err != nil {
			return Options{}, fmt.Errorf("not a store's address: %w", err)
		}
	}
	if o.Endpoint == "" {
		region := o.Region
		if region == "" {
			region = "us-east-1"
		}
		o.Endpoint = "https://s3." + region + ".amazonaws.com"
	}
	return o, o.check()
}

func (o *Options) set(key, v string) error {
	switch key {
	case "endpoint":
		o.Endpoint = v
	case "region":
		o.Region = v
	case "path-style":
		path, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("path-style is true or false")
		}
		if o.Style = StyleVirtualHost; path {
			o.Style = StylePath
		}
	case "ca":
		o.CAFile = v
	case "sse":
		kind, name, named := strings.Cut(v, ":")
		if o.Encryption = Encryption(kind); named && o.Encryption != EncryptKMS {
			return fmt.Errorf("sse is s3, kms, kms:<key> or c")
		}
		o.KMSKey = name
	case "sse-key-file":
		o.CustomerKeyFile = v
	case "object-lock":
		o.ObjectLock, o.Lock = true, LockMode(v)
	case "part-size":
		n, err := strconv.ParseUint(v, 10, 12)
		if err != nil {
			return fmt.Errorf("part-size is a number of MiB")
		}
		o.PartSize = int64(n) << 20
	case "parallel":
		n, err := strconv.ParseUint(v, 10, 6)
		if err != nil {
			return fmt.Errorf("parallel is a number up to 63")
		}
		o.Parallel = int(n)
	case "attempts":
		n, err := strconv.ParseUint(v, 10, 6)
		if err != nil {
			return fmt.Errorf("attempts is a number up to 63")
		}
		o.Attempts = int(n)
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

func (o Options) check() error {
	u, err := url.Parse(o.Endpoint)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Hostname() == "" || u.User != nil ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("not a store's address: endpoint is http://host:port or https://host")
	}
	if !s3utils.IsValidIP(u.Hostname()) && !s3utils.IsValidDomain(u.Hostname()) {
		return fmt.Errorf("not a store's address: the endpoint's host is neither a name nor an address")
	}
	if err := checkBucket(o.Bucket); err != nil {
		return err
	}
	switch o.Style {
	case StyleAuto, StylePath, StyleVirtualHost:
	default:
		return fmt.Errorf("not a store's address: unknown style of buckets")
	}
	switch o.Encryption {
	case EncryptNot, EncryptS3, EncryptKMS:
		if o.CustomerKeyFile != "" {
			return fmt.Errorf("not a store's address: sse-key-file is for sse=c only")
		}
	case EncryptCustomer:
		if o.CustomerKeyFile == "" {
			return fmt.Errorf("not a store's address: sse=c needs sse-key-file, a file with the key")
		}
		if u.Scheme != "https" {
			return fmt.Errorf("not a store's address: sse=c needs https, since the key travels with every request")
		}
	default:
		return fmt.Errorf("not a store's address: sse is s3, kms, kms:<key> or c")
	}
	switch o.Lock {
	case "", LockGovernance, LockCompliance:
	default:
		return fmt.Errorf("not a store's address: object-lock is governance or compliance")
	}
	if o.ObjectLock && o.Lock == "" {
		return fmt.Errorf("not a store's address: object-lock is governance or compliance")
	}
	if o.PartSize != 0 && o.PartSize < 5<<20 {
		return fmt.Errorf("not a store's address: part-size is at least 5 (MiB)")
	}
	return nil
}

// checkBucket keeps to what every S3 server takes.
func checkBucket(b string) error {
	ok := len(b) >= 3 && len(b) <= 63 && b[0] != '-' && b[0] != '.' && b[len(b)-1] != '-' && b[len(b)-1] != '.' && !strings.Contains(b, "..")
	for i := range len(b) {
		c := b[i]
		ok = ok && (c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.')
	}
	if !ok {
		return fmt.Errorf("not a store's address: a bucket's name has 3 to 63 characters of a-z, 0-9, dot and dash")
	}
	return nil
}

// String is for people and logs: no secret is in it.
func (o Options) String() string {
	return "s3://" + o.Bucket + "/" + o.Prefix + " at " + o.Endpoint
}

// GoString keeps secrets out of %#v as well.
func (o Options) GoString() string { return o.String() }
