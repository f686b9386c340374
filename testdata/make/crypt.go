package main

import (
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// encrypted writes the file under the standard security handler, revision 3
// (RC4, 128 bits: what old scanners write, and deterministic).
func (f *file) encrypted(user, owner string) []byte {
	f.tree()
	f.fixed = f.id()
	id, err := hex.DecodeString(f.fixed[5 : 5+32])
	check(err)
	const permissions = -44
	pad := func(s string) []byte {
		const filler = "\x28\xbf\x4e\x5e\x4e\x75\x8a\x41\x64\x00\x4e\x56\xff\xfa\x01\x08\x2e\x2e\x00\xb6\xd0\x68\x3e\x80\x2f\x0c\xa9\xfe\x64\x53\x69\x7a"
		return []byte((s + filler)[:32])
	}
	hash := func(p []byte) []byte {
		h := md5.Sum(p)
		for range 50 {
			h = md5.Sum(h[:])
		}
		return h[:]
	}
	rounds := func(key, p []byte) []byte {
		for i := range 20 {
			k := make([]byte, len(key))
			for j := range k {
				k[j] = key[j] ^ byte(i)
			}
			p = rc4With(k, p)
		}
		return p
	}
	o := rounds(hash(pad(owner)), pad(user))
	seed := append(pad(user), o...)
	p := int32(permissions)
	seed = append(binary.LittleEndian.AppendUint32(seed, uint32(p)), id...)
	key := hash(seed)
	h := md5.Sum(append(pad(""), id...))
	u := append(rounds(key, h[:]), make([]byte, 16)...)
	n := f.add(fmt.Sprintf("<</Filter/Standard/V 2/R 3/Length 128/P %d/O<%x>/U<%x>>>", permissions, o, u))
	return f.write(func(num int, data []byte) []byte {
		k := append([]byte{}, key...)
		k = append(k, byte(num), byte(num>>8), byte(num>>16), 0, 0)
		s := md5.Sum(k)
		return rc4With(s[:], data)
	}, fmt.Sprintf("/Encrypt %d 0 R", n))
}

func rc4With(key, p []byte) []byte {
	c, err := rc4.NewCipher(key)
	check(err)
	out := make([]byte, len(p))
	c.XORKeyStream(out, p)
	return out
}
