package biz

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
)

// A receipt code is sixteen characters of Crockford's base32 (80 bits) in four
// groups, and his check character (modulo 37): 7Q2M-K3XA-0BCD-9WYZ-4.
const (
	alphabet   = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	checks     = alphabet + "*~$=U"
	codeLength = 16
)

// Code makes the receipt code of a request. The same request gets the same code,
// so that one who asks twice still holds the one that works; without the node's
// key it cannot be guessed from what is stored.
func Code(key []byte, recordedBy, requestID string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("zijlicht receipt code v1\n" + recordedBy + "\n" + requestID))
	sum := m.Sum(nil)
	var b strings.Builder
	for i := range codeLength {
		// Five bits per character, taken from the first ten bytes.
		bit := i * 5
		v := (uint16(sum[bit/8])<<8 | uint16(sum[bit/8+1])) >> (11 - bit%8) & 31
		b.WriteByte(alphabet[v])
	}
	code := b.String()
	return code[0:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:16] + "-" + string(check(code))
}

// Hash is what is stored of a code.
func Hash(key []byte, normal string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("zijlicht receipt hash v1\n" + normal))
	return m.Sum(nil)
}

// Normalize reads a code as people type it: small letters, O for 0, I and L for
// 1, with or without dashes and spaces. ok is false when the check character is
// missing or does not fit.
func Normalize(typed string) (normal string, ok bool) {
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch r {
		case '-', ' ', '\t', '\u00a0', '\u2013':
			continue
		case 'O':
			r = '0'
		case 'I', 'L':
			r = '1'
		}
		if r > 126 {
			return "", false
		}
		b.WriteRune(r)
	}
	s := b.String()
	if len(s) != codeLength+1 {
		return "", false
	}
	code := s[:codeLength]
	for i := range code {
		if strings.IndexByte(alphabet, code[i]) < 0 {
			return "", false
		}
	}
	return code, check(code) == s[codeLength]
}

func check(code string) byte {
	sum := 0
	for i := range code {
		sum = (sum*32 + strings.IndexByte(alphabet, code[i])) % 37
	}
	return checks[sum]
}
