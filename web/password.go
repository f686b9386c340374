package web

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// argon are the parameters of argon2id: 19 MiB, two passes (OWASP's second
// choice), which an old server bears with several people signing in at once.
var argon = struct {
	memory, passes uint32
	threads        uint8
	salt, key      int
}{19 << 10, 2, 1, 16, 32}

// ErrWeakPassword says what a password lacks.
var ErrWeakPassword = errors.New("a password has 10 to 200 characters and is not the login")

// HashPassword returns the argon2id hash of a new password in the PHC form, or
// ErrWeakPassword.
func HashPassword(login, password string) (string, error) {
	password = norm.NFC.String(password)
	if n := utf8.RuneCountInString(password); n < 10 || n > 200 || !utf8.ValidString(password) || strings.EqualFold(password, login) {
		return "", ErrWeakPassword
	}
	salt := make([]byte, argon.salt)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argon.passes, argon.memory, argon.threads, uint32(argon.key))
	return hashText(salt, key), nil
}

// hashText is the PHC form.
func hashText(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argon.memory, argon.passes, argon.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// nobodysHash is the hash of no password: looking at it takes as long as looking
// at anybody's. Making it takes no time and none of the memory that hashing does.
func nobodysHash() string {
	random := make([]byte, argon.salt+argon.key)
	rand.Read(random)
	return hashText(random[:argon.salt], random[argon.salt:])
}

// checkPassword reports whether the hash is the password's.
func checkPassword(hash, password string) (bool, error) {
	var version int
	var memory, passes uint32
	var threads uint8
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errors.New("a password's hash is not argon2id")
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &threads); err != nil ||
		version != argon2.Version || memory > 1<<20 || passes > 16 || passes == 0 || threads == 0 {
		return false, errors.New("a password's hash has parameters we do not know")
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	key, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(key) < 16 {
		return false, errors.New("a password's hash is damaged")
	}
	got := argon2.IDKey([]byte(norm.NFC.String(password)), salt, passes, memory, threads, uint32(len(key)))
	return subtle.ConstantTimeCompare(got, key) == 1, nil
}

// hashers bounds how many passwords are looked at at once, each of which costs
// memory and a core for a moment.
func newHashers() chan struct{} { return make(chan struct{}, max(2, runtime.GOMAXPROCS(0))) }
