//  weft_http_get.c - one GET with a plain socket: for --probe, as containers have
//  no curl, and for what another service of ours serves.

#include "weft_http.h"

#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int
open_socket (const char *address, int timeout_ms)
{
    struct sockaddr_storage where;
    memset (&where, 0, sizeof where);
    size_t size = weft_http_address (address, &where);
    if (size == 0)
        return -1;
    int fd = socket (where.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
    if (fd >= 0 &&
        !setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) &&
        !setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) &&
        !connect (fd, (struct sockaddr *)&where, (socklen_t)size))
        return fd;
    if (fd >= 0)
        close (fd);
    return -1;
}

//  All that comes until the server closes, or the buffer is full.
static size_t
read_answer (int fd, char *out, size_t room)
{
    size_t size = 0;
    while (size < room - 1) {
        ssize_t got = recv (fd, out + size, room - 1 - size, 0);
        if (got <= 0)
            break;
        size += (size_t)got;
    }
    out[size] = '\0';
    return size;
}

static bool
ask (int fd, const char *address, const char *path)
{
    char text[1024];
    int size = snprintf (text, sizeof text,
                         "GET %s HTTP/1.1\r\nHost: %s\r\n"
                         "Connection: close\r\n\r\n",
                         path, address);
    return size < (int)sizeof text &&
           send (fd, text, (size_t)size, MSG_NOSIGNAL) == size;
}

int
weft_http_get (const char *address,
               const char *path,
               int timeout_ms,
               int *status,
               char *body,
               size_t room)
{
    char text[8192];
    int fd = open_socket (address, timeout_ms);
    if (fd < 0)
        return WEFT_EDOWN;
    size_t got =
        ask (fd, address, path) ? read_answer (fd, text, sizeof text) : 0;
    close (fd);
    if (got < 12 || strncmp (text, "HTTP/1.", 7) != 0)
        return WEFT_EDOWN;
    *status = (int)strtol (text + 9, NULL, 10);
    const char *start = strstr (text, "\r\n\r\n");
    snprintf (body, room, "%s", start ? start + 4 : "");
    body[strcspn (body, "\r\n")] = '\0';
    return 0;
}

//  The head of an answer, up to its empty line: where the body starts, 0 if there
//  is none in it.
static size_t
read_head (const char *text, int *status, uint64_t *length)
{
    const char *end = strstr (text, "\r\n\r\n");
    if (!end || strncmp (text, "HTTP/1.", 7) != 0)
        return 0;
    *status = (int)strtol (text + 9, NULL, 10);
    *length = UINT64_MAX;
    for (const char *line = text; line < end; line = strstr (line, "\r\n") + 2)
        if (strncasecmp (line, "content-length:", 15) == 0)
            *length = strtoull (line + 15, NULL, 10);
    return (size_t)(end + 4 - text);
}

//  Of a known length: ours always say it.
static int
read_body (int fd, uint64_t length, weft_buf_t *body)
{
    if (length > body->ceiling)
        return WEFT_ETOOBIG;
    while (body->size < length) {
        size_t wanted = WEFT_MIN ((size_t)length - body->size, (size_t)1 << 16);
        uint8_t *into = weft_buf_grow (body, wanted);
        if (!into)
            return body->error;
        ssize_t got = recv (fd, into, wanted, 0);
        body->size -= wanted - (size_t)(got > 0 ? got : 0);
        if (got <= 0)
            return WEFT_EDOWN;
    }
    return 0;
}

//  The head comes in pieces; what comes with it of the body is kept.
static int
read_whole (int fd, int *status, weft_buf_t *body)
{
    char text[8192];
    size_t size = 0, start = 0;
    uint64_t length = 0;
    while (!start && size < sizeof text - 1) {
        ssize_t got = recv (fd, text + size, sizeof text - 1 - size, 0);
        if (got <= 0)
            return WEFT_EDOWN;
        size += (size_t)got;
        text[size] = '\0';
        start = read_head (text, status, &length);
    }
    if (!start || size - start > length)
        return WEFT_EDOWN;
    if (length > body->ceiling)
        return WEFT_ETOOBIG;
    weft_buf_add (body, text + start, size - start);
    return body->error ? body->error : read_body (fd, length, body);
}

int
weft_http_fetch (const char *address,
                 const char *path,
                 int timeout_ms,
                 int *status,
                 weft_buf_t *body)
{
    weft_buf_clear (body);
    int fd = open_socket (address, timeout_ms);
    if (fd < 0)
        return WEFT_EDOWN;
    int rc =
        ask (fd, address, path) ? read_whole (fd, status, body) : WEFT_EDOWN;
    close (fd);
    return rc;
}
