//go:build !linux || race

package nonblock

import "syscall"

// Also under the race detector, which learns from these calls who has heard from whom.

func read(descriptor int, p []byte) (int, syscall.Errno) {
	n, err := syscall.Read(descriptor, p)
	return n, errno(err)
}

func write(descriptor int, p []byte) (int, syscall.Errno) {
	n, err := syscall.Write(descriptor, p)
	return n, errno(err)
}

func peek(descriptor int, p []byte) (int, syscall.Errno) {
	n, _, err := syscall.Recvfrom(descriptor, p, syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n, errno(err)
}

func errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if number, ok := err.(syscall.Errno); ok { //nolint:errorlint // a bare one, from the system call
		return number
	}
	return syscall.EINVAL
}
