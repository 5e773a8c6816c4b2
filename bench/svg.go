package main

import (
	"io"
	"os"
)

// writeTo writes a file in one go.
func writeTo(path string, from io.WriterTo) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := from.WriteTo(file); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
