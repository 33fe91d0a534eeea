package netiotest

import "unsafe"

// alignedBytes returns n bytes whose address is a multiple of align.
func alignedBytes(n, align int) []byte {
	memory := make([]byte, n+align)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(memory))) % uintptr(align)
	return memory[skip:][:n:n]
}
