// Package redis is the store that instances share through Redis: one channel, its
// sequence, the history of its rooms, and the records of its sessions. It needs Redis 6.2 or later.
//
// # Keys
//
// All keys carry the channel's name as hash tag, so that a script's keys share a node.
// With the channel "socketevent":
//
//	{socketevent}:meta                      hash: where the sequence stands, under which epoch
//	{socketevent}:rooms                     sorted set: room -> sequence of its last publication
//	{socketevent}:tails                     hash: room -> how far its history reaches
//	{socketevent}:room:<workspace>/<app>    stream: the room's history, expiring
//	{socketevent}:id:<publish id>           string: the answer to that publication, expiring
//	{socketevent}:session:<digest of pid>   hash: a session's record, expiring
//	{socketevent}:leases                    sorted set: instance -> time of its last heartbeat
//
// Only the scripts in lua/ touch them; sequence.lua, history.lua and session.lua describe
// the fields. Private session ids are never sent to Redis, only event.DigestPID of them.
//
// # Messages
//
// Instances publish four kinds of message on the channel, told apart by their first byte.
// No header needs parsing as JSON, and the object is what members receive, byte for
// byte, but for the position that is added to it:
//
//	P <sequence> <previous> <epoch> <workspace>/<app>\n<object>
//	B <bytes> <bytes>…\n<several of P, of these lengths, with nothing between them>
//	H <instance> <sent> <epoch> <sequence>
//	C <digest of pid> <generation>
//
// Anything else is taken for a publication by somebody who knows only the channel:
//
//	{"appId":…,"workspaceId":…,"payload":{"event":…,"payload":…,"userId":…}}
//
// It is delivered at most once and outside the sequence.
//
// # Permissions
//
// A user of Redis needs the keys and the channel (~{socketevent}:* &socketevent), the commands
// of the scripts, SUBSCRIBE, and INFO of the section "server": a sequence belongs to one
// process of Redis, and nothing else tells which that is. Without its section "memory" nobody
// is warned of an eviction policy. docs/reliability.md has the whole list.
//
// # Contexts
//
// Deadlines are kept to. A context that is cancelled before its deadline ends Follow at
// once, other calls after the command under way, which takes ioTimeout at most.
package redis
