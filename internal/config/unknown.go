package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

const (
	prefix      = "ROOMCAST_"
	redisPrefix = "REDIS_"
	// misspelt is up to how many typing errors a REDIS_ name counts as one of ours.
	misspelt = 2
)

// unknown finds misspelt names: a setting that is silently ignored is worse than none.
// Bare names are not judged here, the environment is full of them. Values stay unsaid, since
// an unknown name may well hold a secret.
func unknown(given map[string]setting) Faults {
	names := make(map[string]bool)
	for _, spec := range table() {
		names[spec.Name] = true
	}
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if names[name] || !strings.HasPrefix(strings.ToUpper(name), prefix) {
			continue
		}
		reason := "no such variable"
		if near := nearest(name, names); near != "" {
			reason += "; did you mean " + near + "?"
		}
		faults = append(faults, Fault{Variable: name, given: setting{source: given[name].source}, Reason: reason})
	}
	return faults
}

// unknownRedis finds names of the REDIS_ family that were probably meant for this server.
// Others of that family are left alone: images and platforms set some of their own.
func unknownRedis(given map[string]setting) Faults {
	var faults Faults
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if given[name].value == "" || !strings.HasPrefix(strings.ToUpper(name), redisPrefix) {
			continue
		}
		if reason := redisReason(name); reason != "" {
			faults = append(faults, Fault{Variable: name, given: setting{source: given[name].source}, Reason: "no such variable; " + reason})
		}
	}
	return faults
}

// redisReason says what to set instead of the name, or nothing if it is ours, or nobody's.
func redisReason(name string) string {
	upper := strings.ToUpper(name)
	switch upper {
	case "REDIS_USER", "REDIS_USERNAME":
		return "the user stands in REDIS_URL, as in redis://user:password@host"
	case "REDIS_DB", "REDIS_DATABASE":
		return "the database stands in REDIS_URL, as in redis://host/1"
	case "REDIS_TLS", "REDIS_SSL":
		return "TLS stands in REDIS_URL, as in rediss://host"
	}
	best, least := "", misspelt
	for _, spec := range redisVariables() {
		if name == spec.Name {
			return ""
		}
		if d := distance(upper, spec.Name); strings.HasPrefix(spec.Name, redisPrefix) && d <= least {
			best, least = spec.Name, d-1
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// nearest is the known name that is probably meant, or "". The prefix is left out of the
// comparison, which also finds bare names that were given it (ROOMCAST_PORT).
func nearest(name string, names map[string]bool) string {
	typed := strings.ToUpper(name)[len(prefix):]
	best, least := "", 1+len(typed)/5
	for _, candidate := range slices.Sorted(maps.Keys(names)) {
		if d := distance(typed, strings.TrimPrefix(candidate, prefix)); d <= least {
			best, least = candidate, d-1
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// serviceLink reports whether a variable was put there by Kubernetes, which announces
// each Service of a namespace to every container: one called "roomcast" yields
// ROOMCAST_PORT=tcp://10.0.0.1:8080 and a dozen more, one called "redis" yields
// REDIS_PORT=tcp://…. Nobody set those, so they are neither settings nor typing errors.
func serviceLink(name, value string) bool {
	if strings.HasSuffix(name, "_PORT") && linkAddress.MatchString(value) {
		return true
	}
	return linkName.MatchString(name)
}

var (
	linkAddress = regexp.MustCompile(`^(tcp|udp|sctp)://`)
	linkName    = regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$`)
)
