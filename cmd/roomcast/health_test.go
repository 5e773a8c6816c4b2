package main

import (
	"testing"

	"github.com/roomcast/roomcast/internal/config"
)

func TestHealthURL(t *testing.T) {
	for want, listen := range map[string]config.Listen{
		"http://127.0.0.1:8080":  {Port: 8080},
		"http://127.0.0.1:8081":  {Host: "0.0.0.0", Port: 8081},
		"http://127.0.0.1:8082":  {Host: "::", Port: 8082},
		"http://10.0.0.7:8083":   {Host: "10.0.0.7", Port: 8083},
		"http://[::1]:8084":      {Host: "::1", Port: 8084},
		"http://here:8085":       {Host: "here", Port: 8085},
		"http://127.0.0.1:9090":  {Host: "10.0.0.7", Port: 80, Admin: ":9090"},
		"http://127.0.0.1:9091":  {Port: 80, Admin: "0.0.0.0:9091"},
		"http://127.0.0.1:9092":  {Port: 80, Admin: "[::]:9092"},
		"https://127.0.0.1:8443": {Port: 8443, TLS: config.TLS{CertFile: "c", KeyFile: "k"}},
		"http://127.0.0.1:9094":  {Port: 8443, Admin: ":9094", TLS: config.TLS{CertFile: "c", KeyFile: "k"}},
		"http://10.0.0.8:9093":   {Port: 80, Admin: "10.0.0.8:9093"},
	} {
		if got := healthURL(listen); got != want {
			t.Errorf("%+v is asked at %s, want %s", listen, got, want)
		}
	}
}
