//  weft_gunzip.c - members of a gzip file one behind the other, by zlib.

#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#include "weft_gunzip.h"

#define CHUNK (64u << 10)
#define HEAD 4  //  bytes that show what it is
#define WITH_GZIP_HEADER 16

typedef enum { AT_START, PLAIN, IN_MEMBER, BEHIND_MEMBER, AT_END } state_t;

struct weft_gunzip {
    int fd;
    state_t state;
    z_stream stream;
    uint8_t in[CHUNK];  //  from `start` to `size` not used
    size_t start, size;
    bool all;  //  no more comes from `fd`
    uint8_t out[CHUNK];
    char fault[160];
};

weft_gunzip_t *
weft_gunzip_new (int fd)
{
    weft_gunzip_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->fd = fd;
    if (inflateInit2 (&self->stream, MAX_WBITS + WITH_GZIP_HEADER) != Z_OK) {
        free (self);
        return NULL;
    }
    return self;
}

void
weft_gunzip_destroy (weft_gunzip_t **self_p)
{
    if (*self_p)
        inflateEnd (&(*self_p)->stream);
    free (*self_p);
    *self_p = NULL;
}

const char *
weft_gunzip_fault (const weft_gunzip_t *self)
{
    return *self->fault ? self->fault : NULL;
}

//  Sees to it that so many bytes are there, or all. -1 with errno.
static int
look (weft_gunzip_t *self, size_t wanted)
{
    if (self->size - self->start >= wanted || self->all)
        return 0;
    memmove (self->in, self->in + self->start, self->size - self->start);
    self->size -= self->start;
    self->start = 0;
    while (self->size < wanted && !self->all) {
        ssize_t n = read (self->fd, self->in + self->size, CHUNK - self->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        self->size += (size_t)n;
        self->all = !n;
    }
    return 0;
}

//  A member's first bytes: its magic, deflate, and no flag that nobody knows.
static bool
is_member (const weft_gunzip_t *self)
{
    const uint8_t *head = self->in + self->start;
    return self->size - self->start >= HEAD && head[0] == 0x1f &&
           head[1] == 0x8b && head[2] == Z_DEFLATED && !(head[3] & 0xe0);
}

//  What is behind the last member is none of ours. Zeros only fill up.
static int
end (weft_gunzip_t *self)
{
    unsigned long long left = 0;
    bool zeros = true;
    while (self->size > self->start) {
        left += self->size - self->start;
        for (size_t i = self->start; i < self->size; i++)
            zeros &= !self->in[i];
        self->start = self->size;
        if (look (self, 1))
            return -1;
    }
    if (!zeros)
        snprintf (self->fault, sizeof (self->fault),
                  "%llu bytes behind the compressed data are not read", left);
    self->state = AT_END;
    return 0;
}

//  Unpacks into `out`, as far as what was read reaches: how many bytes.
static size_t
unpack (weft_gunzip_t *self)
{
    z_stream *stream = &self->stream;
    stream->next_in = self->in + self->start;
    stream->avail_in = (uInt)(self->size - self->start);
    stream->next_out = self->out;
    stream->avail_out = CHUNK;
    int z = inflate (stream, Z_NO_FLUSH);
    self->start = self->size - stream->avail_in;
    if (z == Z_STREAM_END)
        self->state = BEHIND_MEMBER;
    else if (z != Z_OK && z != Z_BUF_ERROR) {
        self->state = AT_END;
        snprintf (self->fault, sizeof (self->fault), "damaged gzip input: %s",
                  stream->msg ? stream->msg : "out of memory");
    } else if (self->all && self->start == self->size && stream->avail_out) {
        self->state = AT_END;
        snprintf (self->fault, sizeof (self->fault), "truncated gzip input");
    }
    return CHUNK - stream->avail_out;
}

//  What begins here: another member, or what is none.
static int
begin (weft_gunzip_t *self)
{
    if (look (self, HEAD))
        return -1;
    bool first = self->state == AT_START;
    if (is_member (self)) {
        inflateReset (&self->stream);
        self->state = IN_MEMBER;
        return 0;
    }
    if (!first)
        return end (self);
    self->state = PLAIN;
    return 0;
}

ssize_t
weft_gunzip_read (weft_gunzip_t *self, const uint8_t **data)
{
    size_t n = 0;
    while (!n && self->state != AT_END) {
        if (self->state == AT_START || self->state == BEHIND_MEMBER) {
            if (begin (self))
                return -1;
            continue;
        }
        if (look (self, 1))
            return -1;
        if (self->state == IN_MEMBER) {
            *data = self->out;
            n = unpack (self);
            continue;
        }
        *data = self->in + self->start;
        n = self->size - self->start;
        self->start = self->size;
        if (!n)
            self->state = AT_END;
    }
    return (ssize_t)n;
}
