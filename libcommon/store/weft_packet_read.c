//  weft_packet_read.c - pread, or GET /packets/REFERENCE.

#include "weft_packet_read.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "weft_hash.h"
#include "weft_http.h"
#include "weft_packet_number.h"

#define TIMEOUT_MS 2000

//  WEFT_ENOENT: the file ends before.
static int
read_at (int fd, uint8_t *into, size_t size, uint64_t at)
{
    while (size > 0) {
        ssize_t got = pread (fd, into, size, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return WEFT_EIO;
        if (!got)
            return WEFT_ENOENT;
        into += got;
        size -= (size_t)got;
        at += (uint64_t)got;
    }
    return 0;
}

static int
check (const weft_packet_ref_t *ref, const void *data, size_t size)
{
    uint8_t sha256[32];
    if (size != ref->length)
        return WEFT_EMALFORMED;
    weft_sha256 (data, size, sha256);
    return memcmp (sha256, ref->sha256_8, 8) ? WEFT_EMALFORMED : 0;
}

int
weft_packet_read (const char *folder,
                  const weft_packet_ref_t *ref,
                  weft_buf_t *out)
{
    char path[WEFT_PACKET_PATH];
    weft_buf_clear (out);
    if (!ref->segment || ref->offset > INT64_MAX - WEFT_PACKET_MOST)
        return WEFT_ENOENT;
    weft_packet_path (folder, ref->segment, path);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? WEFT_ENOENT : WEFT_EIO;
    uint8_t *into = weft_buf_grow (out, ref->length);
    int rc = into || !ref->length ? read_at (fd, into, ref->length, ref->offset)
                                  : out->error;
    close (fd);
    if (!rc)
        rc = check (ref, out->data, out->size);
    if (rc)
        weft_buf_clear (out);
    return rc;
}

int
weft_packet_get (const char *address,
                 const weft_packet_ref_t *ref,
                 int timeout_ms,
                 weft_buf_t *out)
{
    char text[WEFT_PACKET_TEXT], path[WEFT_PACKET_TEXT + 16];
    int status;
    weft_packet_text (ref, text);
    snprintf (path, sizeof (path), "/packets/%s", text);
    int rc = weft_http_fetch (
        address, path, timeout_ms ? timeout_ms : TIMEOUT_MS, &status, out);
    if (!rc && status != 200)
        rc = status == 404   ? WEFT_ENOENT
             : status == 409 ? WEFT_EMALFORMED
                             : WEFT_EDOWN;
    if (!rc)
        rc = check (ref, out->data, out->size);
    if (rc)
        weft_buf_clear (out);
    return rc;
}

int
weft_packet_find (const weft_packet_places_t *places,
                  const weft_packet_ref_t *ref,
                  weft_buf_t *out)
{
    char address[280];
    int rc = WEFT_ENOENT;
    if (!ref->segment)
        return rc;
    if (places->folder)
        rc = weft_packet_read (places->folder, ref, out);
    if (!rc)
        return 0;
    if (places->address)
        return weft_packet_get (places->address, ref, places->timeout_ms, out);
    if (!places->redis)
        return rc;
    int found = weft_packet_number_place (places->redis, ref->segment >> 20,
                                          address, sizeof (address));
    return found == WEFT_ENOENT ? rc
           : found              ? found
                   : weft_packet_get (address, ref, places->timeout_ms, out);
}

int
weft_packet_fetch (const weft_packet_places_t *places,
                   const weft_raw_ref_v1_t *raw,
                   weft_buf_t *out)
{
    weft_packet_ref_t ref;
    int rc = weft_packet_of_raw_ref (raw, &ref);
    return rc ? rc : weft_packet_find (places, &ref, out);
}
