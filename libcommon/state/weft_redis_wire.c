//  weft_redis_wire.c - bytes out, replies in: by hiredis, or through TLS, where
//  hiredis only takes replies apart.

#include <errno.h>

#include "weft_redis_private.h"

enum { READ_MOST = 16 << 10 };  //  as much as a TLS record holds

int
weft_redis_secure (weft_redis_t *self)
{
    char why[200];
    if (!self->tls)
        return 0;
    weft_buf_clear (&self->out);
    self->link = weft_tls_link_new (self->tls, self->context->fd, self->host,
                                    why, sizeof why);
    if (!self->link)
        weft_redis_say (self, "%s", why);
    return self->link ? 0 : WEFT_EDOWN;
}

//  hiredis keeps an error until the next reply is asked for; so does a buffer.
void
weft_redis_append (weft_redis_t *self, const void *data, size_t size)
{
    if (self->link)
        weft_buf_add (&self->out, data, size);
    else
        redisAppendFormattedCommand (self->context, data, size);
}

//  Says why a connection is no more.
static int
fail (weft_redis_t *self, int rc)
{
    bool late = rc == WEFT_EDOWN;
    weft_redis_say (self, "%s",
                    late                 ? "no answer in time"
                    : self->context->err ? self->context->errstr
                    : self->out.error    ? weft_error_text (self->out.error)
                                         : "the TLS connection is lost");
    return rc;
}

static int
flush_link (weft_redis_t *self)
{
    int rc = self->out.error ? WEFT_EIO : 0;
    if (rc == 0 && self->out.size)
        rc = weft_tls_send (self->link, self->out.data, self->out.size);
    weft_buf_clear (&self->out);
    return rc;
}

int
weft_redis_flush (weft_redis_t *self)
{
    int done = 0;
    if (self->link)
        return flush_link (self);
    while (!done)
        if (redisBufferWrite (self->context, &done) != REDIS_OK)
            return WEFT_EIO;
    return 0;
}

static int
next_of_link (weft_redis_t *self, void **reply)
{
    char data[READ_MOST];
    size_t n = 0;
    int rc = flush_link (self);
    while (rc == 0) {
        if (redisReaderGetReply (self->context->reader, reply) != REDIS_OK)
            return WEFT_EIO;
        if (*reply)
            return 0;
        rc = weft_tls_read (self->link, data, sizeof data, &n);
        if (rc == 0 &&
            redisReaderFeed (self->context->reader, data, n) != REDIS_OK)
            rc = WEFT_EIO;
    }
    return rc;
}

int
weft_redis_next (weft_redis_t *self, redisReply **reply)
{
    void *next = NULL;
    int rc = 0;
    if (self->link)
        rc = next_of_link (self, &next);
    else if (redisGetReply (self->context, &next) != REDIS_OK)
        rc = self->context->err == REDIS_ERR_IO && errno == EAGAIN ? WEFT_EDOWN
                                                                   : WEFT_EIO;
    *reply = next;
    return rc ? fail (self, rc) : 0;
}

redisReply *
weft_redis_call (weft_redis_t *self, int argc, const char **argv)
{
    char *command = NULL;
    redisReply *reply = NULL;
    int size = redisFormatCommandArgv (&command, argc, argv, NULL);
    if (size < 0) {
        weft_redis_say (self, "out of memory");
        return NULL;
    }
    weft_redis_append (self, command, (size_t)size);
    redisFreeCommand (command);
    return weft_redis_next (self, &reply) == 0 ? reply : NULL;
}
