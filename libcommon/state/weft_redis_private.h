//  weft_redis_private.h - what weft_redis.c and weft_batch.c share. Nobody else
//  includes it: hiredis' types are in here. The connection's thread.

#ifndef WEFT_REDIS_PRIVATE_H_INCLUDED
#define WEFT_REDIS_PRIVATE_H_INCLUDED

#include <hiredis/hiredis.h>

#include "weft_buf.h"
#include "weft_journal.h"
#include "weft_redis.h"
#include "weft_tls.h"

typedef struct weft_cluster weft_cluster_t;

enum {
    WEFT_SCRIPTS_MOST = 64,
    WEFT_KEEP_NO = 0,
    WEFT_KEEP_ALL = 1,   //  in journals[0], at most 32 MiB
    WEFT_KEEP_ROOM = 2,  //  in journals[1], at most 16 MiB
};

//  A Lua script by the address of its static text.
typedef struct {
    const char *body;
    char sha[41];
} weft_script_t;

struct weft_redis {
    char *address;  //  as given
    char *host;     //  NULL: a Unix socket
    char *path;     //  of the socket
    int db;         //  of the server's databases
    int port;
    char *user;      //  may be NULL
    char *password;  //  may be NULL
    uint64_t id;     //  random
    uint64_t n_unique;
    int connect_ms, command_ms, backoff_ms;

    redisContext *context;  //  NULL: not connected
    weft_tls_t *tls;        //  NULL: in plain text
    bool tls_borrowed;      //  a cluster's node has its cluster's
    weft_tls_link_t *link;  //  with tls and context
    weft_buf_t out;         //  for the link, until it is flushed
    uint64_t generation;    //  connections made
    bool down;              //  the outage is in the log
    int pause_ms;           //  the pause that lasts, 0: none
    int64_t not_before;     //  no connect before (monotonic ms)
    char why[256];

    //  What may have to be issued again. Histories have a journal of their
    //  own: they are large, and the rest must not be driven out by them.
    weft_journal_t journals[2];
    bool reissue;       //  must be done before anything else
    int64_t looked_ms;  //  when it was last asked what it has written
    weft_script_t scripts[WEFT_SCRIPTS_MOST];
    size_t n_scripts;

    //  Not NULL: the address is a cluster. Then there is no context, each of
    //  its masters has a connection of its own (weft_cluster.h).
    weft_cluster_t *cluster;
};

//  Bytes out and replies in, over a live context (weft_redis_wire.c). After
//  connecting: shakes hands if there is to be TLS, WEFT_EDOWN.
WEFT_CHECK int weft_redis_secure (weft_redis_t *self);
//  Errors of these show at the next reply.
void weft_redis_append (weft_redis_t *self, const void *data, size_t size);
//  Sends what was appended; the next reply does so as well. WEFT_EIO.
int weft_redis_flush (weft_redis_t *self);
//  The next reply, new. WEFT_EDOWN: not in time, WEFT_EIO: the connection is
//  lost; the caller disconnects.
WEFT_CHECK int weft_redis_next (weft_redis_t *self, redisReply **reply);
//  One command, its reply, new; NULL if the connection is lost.
WEFT_NEW redisReply *
weft_redis_call (weft_redis_t *self, int argc, const char **argv);

//  A pause between connects lasts: nothing is tried now.
bool weft_redis_paused (const weft_redis_t *self);

//  Connects if it must and may. WEFT_EDOWN otherwise.
WEFT_CHECK int weft_redis_connect (weft_redis_t *self);
void weft_redis_disconnect (weft_redis_t *self);

//  A batch went through; or Redis is there and cannot serve: WEFT_EDOWN.
void weft_redis_served (weft_redis_t *self);
WEFT_CHECK int weft_redis_unserved (weft_redis_t *self);

void weft_redis_say (weft_redis_t *self, const char *format, ...)
    WEFT_PRINTF (2, 3);

//  Forgets what is remembered once Redis says that it has written everything;
//  asks only if that is much, and not more often than each 50 ms
//  (weft_written.c).
void weft_redis_look_written (weft_redis_t *self);

//  What an error reply means: 0 a script must be loaded, WEFT_EDOWN Redis cannot
//  serve now, WEFT_EIO the command is refused.
WEFT_CHECK int weft_redis_judge (const redisReply *reply);

//  Tells this Redis a script. WEFT_EIO with the connection gone: it broke.
WEFT_CHECK int weft_redis_load (weft_redis_t *self, const char *body);

//  SHA-1 of a script in hexadecimal; remembered. Borrows until the next call.
const char *weft_redis_sha (weft_redis_t *self, const char *body);

#endif
