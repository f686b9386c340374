package signature

import "errors"

var errBER = errors.New("signature: not ASN.1")

// toDER reads one BER element at the head of b and returns it in definite,
// minimal lengths, constructed strings joined. What is DER already comes back
// the same. What follows the element (the padding of /Contents) is left.
func toDER(b []byte) ([]byte, error) {
	out, _, err := berElement(b, 0)
	return out, err
}

func berElement(b []byte, depth int) (out, rest []byte, err error) {
	if depth > maxDepth || len(b) < 2 {
		return nil, nil, errBER
	}
	head := 1
	if b[0]&0x1F == 0x1F { // a tag number of several bytes
		for head < len(b) && b[head]&0x80 != 0 {
			head++
		}
		head++
	}
	if head >= len(b) || head > 6 {
		return nil, nil, errBER
	}
	tag, length := b[:head], int(b[head])
	body := b[head+1:]
	constructed := tag[0]&0x20 != 0
	indefinite := length == 0x80
	switch {
	case indefinite && !constructed, length == 0xFF:
		return nil, nil, errBER
	case length > 0x80:
		n := length & 0x7F
		if n > len(body) || n > 4 {
			return nil, nil, errBER
		}
		length = 0
		for _, c := range body[:n] {
			length = length<<8 | int(c)
		}
		body = body[n:]
	}
	if !indefinite {
		if length > len(body) || length < 0 {
			return nil, nil, errBER
		}
		body, rest = body[:length], body[length:]
	}
	if !constructed {
		return appendTLV(nil, tag, body), rest, nil
	}
	// The strings that BER may cut into pieces: octet string, and the types of
	// text, which do not occur here.
	join := len(tag) == 1 && tag[0] == 0x24
	var inner []byte
	for {
		if indefinite {
			if len(body) < 2 {
				return nil, nil, errBER
			}
			if body[0] == 0 && body[1] == 0 {
				rest = body[2:]
				break
			}
		} else if len(body) == 0 {
			break
		}
		var part []byte
		part, body, err = berElement(body, depth+1)
		if err != nil {
			return nil, nil, err
		}
		if join {
			if part[0] != 0x04 {
				return nil, nil, errBER
			}
			part = contentOf(part)
		}
		inner = append(inner, part...)
	}
	if join {
		tag = []byte{0x04}
	}
	return appendTLV(nil, tag, inner), rest, nil
}

func appendTLV(dst, tag, body []byte) []byte {
	dst = append(dst, tag...)
	n := len(body)
	switch {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n < 1<<8:
		dst = append(dst, 0x81, byte(n))
	case n < 1<<16:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	case n < 1<<24:
		dst = append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(dst, body...)
}

// contentOf is the content of a DER element that appendTLV wrote under a tag of
// one byte.
func contentOf(e []byte) []byte {
	if e[1] < 0x80 {
		return e[2:]
	}
	return e[2+int(e[1]&0x7F):]
}
