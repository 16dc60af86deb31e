//  weft_cluster.h - the masters of a Redis Cluster: who has which slot, and a
//  batch over all of them.
//
//  Private to the connection (weft_redis.c, weft_batch.c); same thread. Each
//  node is a weft_redis_t of its own, made when a slot of its is asked for.
//
//  Why nothing is doubled or lost when the cluster changes: every command is
//  idempotent (weft_redis.h), so issuing one again is always right, and order
//  matters only within a slot.
//
//     MOVED        the slot's commands of this batch all go again, to the new
//                  master: one that was answered may have been answered by a
//                  master that was none any more
//     ASK          this command alone goes to the other master, once
//     TRYAGAIN     this command again, after a pause; half a second at most
//     break        the whole batch again, after the map was read anew
//     CLUSTERDOWN  WEFT_EDOWN: the caller waits, and runs the batch again
//
//  A master that dies takes with it what its replica had not received yet. So
//  what was acknowledged in the last seconds (weft_journal.h) is issued again
//  when a connection broke or a master is none any more.

#ifndef WEFT_CLUSTER_H_INCLUDED
#define WEFT_CLUSTER_H_INCLUDED

#include "weft_redis_private.h"

//  Returns new: borrows `redis`, whose it is, for life. NULL without memory or
//  if `seeds` is no list of host:port.
WEFT_NEW weft_cluster_t *weft_cluster_new (weft_redis_t *redis,
                                           const char *seeds);
void weft_cluster_destroy (weft_cluster_t **self_p);

//  Issues `count` commands; their replies come in order, for the caller to
//  free, into `replies`, which must be all NULL. WEFT_EDOWN: some may be there.
//  WEFT_EIO: all are, some are errors. Ends within some three times command_ms.
WEFT_CHECK int weft_cluster_run (weft_cluster_t *self,
                                 const uint8_t *bytes,
                                 size_t size,
                                 size_t count,
                                 redisReply **replies);

//  Would all that was acknowledged be there if any one master died now? 0 if
//  each has a replica that has it, or none that could take over; WEFT_EDOWN if
//  not, or if that is not known. Within 50 ms of a cluster that is well.
//  WEFT_EAGAIN, once: a master was replaced, and what it acknowledged since the
//  last 0 may be gone and is not remembered any more.
WEFT_CHECK int weft_cluster_kept (weft_cluster_t *self);

//  As weft_redis_ping and weft_redis_check_safe, for every master.
WEFT_CHECK int weft_cluster_ping (weft_cluster_t *self);
WEFT_CHECK int weft_cluster_check_safe (weft_cluster_t *self,
                                        bool ephemeral,
                                        char *why,
                                        size_t room);

#endif
