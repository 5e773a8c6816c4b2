//go:build linux && !race

package nonblock

import (
	"syscall"
	"unsafe"
)

func read(descriptor int, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, uintptr(descriptor), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), err // not negative without an error, and not used with one
}

func write(descriptor int, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(descriptor), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return int(n), err // not negative without an error, and not used with one
}

func peek(descriptor int, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, uintptr(descriptor), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0)
	return int(n), err // not negative without an error, and not used with one
}
