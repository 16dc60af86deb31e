//  weft_registry_store.h - who runs: one entry per process, gone in 6 s.
//
//  `reg:{stage}:{uuid}` is a small JSON object that its process refreshes from
//  a side thread every two seconds; `reg:index` lists the entries, so that
//  nobody scans the keys. The registry only shows: it never opens or closes a
//  link. Same thread as the connection.

#ifndef WEFT_REGISTRY_STORE_H_INCLUDED
#define WEFT_REGISTRY_STORE_H_INCLUDED

#include "weft_redis.h"

#define WEFT_REGISTRY_SECONDS 6
#define WEFT_REGISTRY_JSON_MOST 4096

//  Writes or refreshes an entry. `json` is an object with at least: stage,
//  uuid, pid, host, endpoint, tap (where weft tap listens, or empty),
//  encrypted (have its links keys?), version, state, not_ready (why, or empty), started
//  (seconds since 1970), outputs and upstreams (lists of names), window and
//  in_flight (alerts), received and settled (alerts since the start), and rate
//  (settled per second, of the last two seconds or so).
WEFT_CHECK int weft_registry_put (weft_redis_t *redis,
                                  const char *stage,
                                  const char *uuid,
                                  const char *json);

//  Takes an entry back at once (a polite end).
WEFT_CHECK int
weft_registry_remove (weft_redis_t *redis, const char *stage, const char *uuid);

//  Calls `each` with every live entry, by stage and uuid.
WEFT_CHECK int weft_registry_list (weft_redis_t *redis,
                                   void (*each) (void *arg,
                                                 const char *stage,
                                                 const char *uuid,
                                                 const char *json,
                                                 size_t size),
                                   void *arg);

#endif
