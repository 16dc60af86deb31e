//  weft_redis.h - one connection to Redis, and batches that survive its loss;
//  or one to each master of a Redis Cluster, with the same batches.
//
//  A hiredis context is dead after any error and takes the replies in the pipe
//  with it, so nothing here is sent outside a batch: a list of commands that
//  is kept until all replies are there. If the connection breaks, it is made
//  anew and the whole batch is issued again. Hence the one rule for callers:
//  EVERY COMMAND OF A BATCH IS IDEMPOTENT (no INCR, no XADD, no LPUSH; a
//  script decides by what it finds).
//
//  In a cluster the commands of a batch go to the masters that have their keys,
//  all at once, and keep their order only within a slot. All keys of a script
//  must be in one slot, and a command of a batch must have a key. Keys that move
//  are followed (MOVED, ASK), waited for (TRYAGAIN), or, if no master has them
//  now, WEFT_EDOWN: run the batch again. What was in flight when a master died
//  has an unknown fate and is issued again, to whoever has the key then.
//
//  A connection and its batches belong to one thread. SIGPIPE is ignored from
//  the first weft_redis_new on. hiredis.h stops here.

#ifndef WEFT_REDIS_H_INCLUDED
#define WEFT_REDIS_H_INCLUDED

#include "weft_base.h"
#include "weft_cursor.h"

typedef struct weft_redis weft_redis_t;
typedef struct weft_batch weft_batch_t;
typedef struct weft_reply weft_reply_t;

typedef struct {
    int connect_ms;             //  0: 500
    int command_ms;             //  longest wait for one reply, 0: 2000
    int backoff_ms;             //  longest pause between connects, 0: 1000
    const char *user;           //  NULL or "": Redis' default user; copied
    const char *password;       //  NULL: by the file; copied
    const char *password_file;  //  its first line; NULL or "": no AUTH
    bool tls;                   //  encrypted; not with "unix:"
    const char *tls_ca;  //  file of authorities; NULL or "": the system's
    const char *tls_certificate, *tls_key;  //  our own; NULL or "": none
} weft_redis_config_t;

//  Returns new: a connection that is made at its first batch, or NULL without
//  memory or if `address` is none of "unix:/path", "host:port" and
//  "cluster:host:port,host:port" (some nodes of a cluster: one that answers is
//  enough, it names the others), or the file cannot be read. Behind the first
//  two may stand "?db=N": that database of the server, keys of its own. `config` may be NULL; nothing of it is kept but copies.
WEFT_NEW weft_redis_t *weft_redis_new (const char *address,
                                       const weft_redis_config_t *config);

//  Closes the connection and sets *self_p to NULL. Safe on NULL. Batches of
//  it must be destroyed before.
void weft_redis_destroy (weft_redis_t **self_p);

//  Where Redis is, as given. Borrows for life.
const char *weft_redis_address (const weft_redis_t *self);

//  Counts connections made; changes when Redis may have been restarted.
uint64_t weft_redis_generation (const weft_redis_t *self);

//  Is there an answer? WEFT_EDOWN if not. At once while a pause between
//  connects lasts, else within connect_ms + command_ms.
WEFT_CHECK int weft_redis_ping (weft_redis_t *self);

//  Why the last batch failed, in words. Borrows until the next batch.
const char *weft_redis_why (const weft_redis_t *self);

//  Does this Redis keep what it acknowledges: append-only file on and nothing
//  evicted? WEFT_ECONFIG with `why` if not, unless `ephemeral` allows it.
WEFT_CHECK int weft_redis_check_safe (weft_redis_t *self,
                                      bool ephemeral,
                                      char *why,
                                      size_t room);

//  What a cluster has done to this connection; zeros without one.
typedef struct {
    uint64_t moved;     //  commands that were sent to another master for good
    uint64_t asked;     //  commands that were sent to another master once
    uint64_t waited;    //  rounds that waited for keys on their way
    uint64_t maps;      //  times that the map of slots was read
    uint64_t replaced;  //  masters that are none any more
    uint64_t masters;   //  now
} weft_redis_counts_t;

weft_redis_counts_t weft_redis_counts (const weft_redis_t *self);

//  Returns new: an empty batch of at most `ceiling` bytes of commands (0: 64
//  MiB). Borrows the connection for life. NULL without memory.
WEFT_NEW weft_batch_t *weft_batch_new (weft_redis_t *redis, size_t ceiling);

//  Destroys the batch with its replies and sets *self_p to NULL.
void weft_batch_destroy (weft_batch_t **self_p);

//  Forgets commands and replies, keeps the memory.
void weft_batch_clear (weft_batch_t *self);

//  These commands write what must not be lost when Redis is killed. Redis may
//  answer up to two seconds before it writes its file (it does so while an fsync
//  is under way), so the batch is remembered until Redis is seen to have written
//  it, or for some seconds after it was acknowledged, and issued again should the connection have to be remade.
//  Until the batch is cleared. All writes of this folder are kept, but for the
//  registry's; histories, which are large and whose points later packets bring
//  again, only while they fit into 16 MiB per connection.
void weft_batch_keep (weft_batch_t *self);
void weft_batch_keep_if_room (weft_batch_t *self);

//  A number that nobody else gets, never 0.
uint64_t weft_batch_unique (weft_batch_t *self);

//  What it was told is of somebody else's writes, and is relied upon: if a master
//  of the cluster is replaced, they may be gone without being remembered here
//  (weft_written.h).
void weft_batch_relied (const weft_batch_t *self);

//  Does it go to a cluster? Then the rules of its keys hold.
bool weft_batch_spread (const weft_batch_t *self);

//  Number of commands: the index of the next one.
size_t weft_batch_count (const weft_batch_t *self);

//  Begins a command of exactly `argc` arguments, its name counted; then come
//  the arguments, any bytes. Errors (ceiling, memory) stick and are returned
//  by weft_batch_run. Returns the command's index.
size_t weft_batch_begin (weft_batch_t *self, uint32_t argc);
void weft_batch_arg (weft_batch_t *self, const void *data, size_t size);
//  One argument from two runs of bytes.
void weft_batch_arg2 (weft_batch_t *self,
                      const void *head,
                      size_t head_size,
                      const void *tail,
                      size_t tail_size);
void weft_batch_str (weft_batch_t *self, const char *text);
void weft_batch_int (weft_batch_t *self, int64_t value);
void weft_batch_argf (weft_batch_t *self, const char *format, ...)
    WEFT_PRINTF (2, 3);

//  A whole command of C strings, as an array that ends with NULL, or as
//  weft_batch_words (batch, "GET", key).
size_t weft_batch_list (weft_batch_t *self, const char *const *words);
#define weft_batch_words(batch, ...)                                           \
    weft_batch_list (batch, (const char *const[]){ __VA_ARGS__, NULL })

//  Begins a Lua script of `n_keys` keys and `n_args` further arguments, which
//  follow in this order. `body` is a static string: it is sent once per life
//  of Redis and named by its hash from then on.
size_t weft_batch_script (weft_batch_t *self,
                          const char *body,
                          uint32_t n_keys,
                          uint32_t n_args);

//  Issues all commands in one round trip and gathers the replies. Breaks are
//  mended by a new connection and issuing the batch again. WEFT_EDOWN: Redis
//  cannot be reached or cannot serve (loading, out of memory, read-only); the
//  batch stays as it is, to be run again. WEFT_EIO: a command was refused
//  (wrong type, script error): logged; look at the replies. WEFT_ETOOBIG or
//  WEFT_ENOMEM from building the batch.
WEFT_CHECK int weft_batch_run (weft_batch_t *self);

//  The reply of a command after a run that returned 0. Borrows until the batch
//  is cleared, run again or destroyed.
const weft_reply_t *weft_batch_reply (const weft_batch_t *self, size_t index);

//  What a reply is. Status replies count as bytes.
bool weft_reply_nil (const weft_reply_t *self);
bool weft_reply_error (const weft_reply_t *self);

//  An integer (or bytes that are one); `fallback` otherwise.
int64_t weft_reply_int (const weft_reply_t *self, int64_t fallback);

//  Bytes; p is NULL if it is not bytes. Borrows as the reply does.
weft_bin_t weft_reply_bytes (const weft_reply_t *self);

//  Elements of an array: 0 if it is none; NULL beyond the last.
size_t weft_reply_count (const weft_reply_t *self);
const weft_reply_t *weft_reply_at (const weft_reply_t *self, size_t index);

#endif
