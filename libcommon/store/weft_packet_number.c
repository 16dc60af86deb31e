//  weft_packet_number.c - a locked file, and a row in Redis.
//
//  store:numbers  hash: number -> owner, 16 hexadecimal digits
//  store:places   hash: number -> host:port that serves its packets

#include "weft_packet_number.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "weft_packet.h"

#define OWNER_TEXT 17  //  room for an owner as text

static int
fail (int rc, char *why, size_t room, const char *what, const char *folder)
{
    snprintf (why, room, "%s: %s: %s", folder, what, strerror (errno));
    return rc;
}

static int
open_locked (const char *folder, uint32_t number, int flags)
{
    char path[WEFT_PACKET_PATH];
    snprintf (path, sizeof (path), "%.4000s/store-%04u", folder, number);
    int fd = open (path, O_RDWR | O_CLOEXEC | flags, 0640);
    if (fd < 0)
        return -1;
    if (!flock (fd, LOCK_EX | LOCK_NB))
        return fd;
    int error = errno;
    close (fd);
    errno = error;
    return -1;
}

//  What the file says, or a new owner that it says from now on.
static int
read_owner (int fd, uint64_t *owner)
{
    char text[OWNER_TEXT] = "";
    if (pread (fd, text, 16, 0) == 16 &&
        strspn (text, "0123456789abcdef") == 16) {
        *owner = strtoull (text, NULL, 16);
        return 0;
    }
    if (getrandom (owner, sizeof (*owner), 0) != (ssize_t)sizeof (*owner))
        return WEFT_EIO;
    snprintf (text, sizeof (text), "%016" PRIx64, *owner);
    return pwrite (fd, text, 16, 0) == 16 && !fsync (fd) ? 0 : WEFT_EIO;
}

//  Whose is the number in Redis? It is ours if nobody had it.
static int
claim (weft_redis_t *redis, uint32_t number, uint64_t owner, bool *ours)
{
    char text[OWNER_TEXT], field[16];
    *ours = true;
    if (!redis)
        return 0;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    snprintf (text, sizeof (text), "%016" PRIx64, owner);
    snprintf (field, sizeof (field), "%u", number);
    weft_batch_keep (batch);
    weft_batch_words (batch, "HSETNX", "store:numbers", field, text);
    weft_batch_words (batch, "HGET", "store:numbers", field);
    int rc = weft_batch_run (batch);
    if (!rc) {
        weft_bin_t held = weft_reply_bytes (weft_batch_reply (batch, 1));
        *ours = held.p && held.n == 16 && !memcmp (held.p, text, 16);
    }
    weft_batch_destroy (&batch);
    return rc;
}

//  Tries one number: 0 if it is taken, WEFT_EEXIST if it is another's.
static int
try_number (const char *folder,
            weft_redis_t *redis,
            uint32_t number,
            int flags,
            weft_packet_number_t *out)
{
    bool ours = false;
    int fd = open_locked (folder, number, flags);
    if (fd < 0)
        return errno == EWOULDBLOCK || errno == EEXIST || errno == ENOENT
                   ? WEFT_EEXIST
               : errno == ENOSPC || errno == EDQUOT ? WEFT_EIO
                                                    : WEFT_ECONFIG;
    int rc = read_owner (fd, &out->owner);
    if (!rc)
        rc = claim (redis, number, out->owner, &ours);
    if (!rc && ours) {
        out->number = number;
        out->lock = fd;
        return 0;
    }
    if (!rc && flags & O_CREAT) {
        char path[WEFT_PACKET_PATH];
        snprintf (path, sizeof (path), "%.4000s/store-%04u", folder, number);
        unlink (path);
    }
    close (fd);
    return rc ? rc : WEFT_EEXIST;
}

int
weft_packet_number_take (const char *folder,
                         weft_redis_t *redis,
                         weft_packet_number_t *out,
                         char *why,
                         size_t room)
{
    *out = (weft_packet_number_t){ .lock = -1 };
    //  A number that this folder has had, then one that is new.
    for (int flags = 0; flags <= (O_CREAT | O_EXCL);
         flags += O_CREAT | O_EXCL) {
        for (uint32_t n = 1; n <= WEFT_PACKET_STORES; n++) {
            int rc = try_number (folder, redis, n, flags, out);
            if (!rc)
                return 0;
            if (rc == WEFT_EIO || rc == WEFT_ECONFIG)
                return fail (rc, why, room, "no number can be written", folder);
            if (rc != WEFT_EEXIST) {
                snprintf (why, room, "the store's number: %s",
                          weft_error_text (rc));
                return rc;
            }
        }
    }
    snprintf (why, room, "%s: all %d numbers of stores are taken", folder,
              WEFT_PACKET_STORES);
    return WEFT_ECONFIG;
}

void
weft_packet_number_release (weft_packet_number_t *number)
{
    if (number->number)
        close (number->lock);
    *number = (weft_packet_number_t){ .lock = -1 };
}

int
weft_packet_number_publish (weft_redis_t *redis,
                            uint32_t number,
                            const char *address)
{
    char field[16];
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    snprintf (field, sizeof (field), "%u", number);
    weft_batch_words (batch, "HSET", "store:places", field, address);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_packet_number_place (weft_redis_t *redis,
                          uint32_t number,
                          char *address,
                          size_t room)
{
    char field[16];
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    snprintf (field, sizeof (field), "%u", number);
    weft_batch_words (batch, "HGET", "store:places", field);
    int rc = weft_batch_run (batch);
    if (!rc) {
        weft_bin_t held = weft_reply_bytes (weft_batch_reply (batch, 0));
        if (held.p)
            snprintf (address, room, "%.*s", (int)held.n, (const char *)held.p);
        rc = held.p ? 0 : WEFT_ENOENT;
    }
    weft_batch_destroy (&batch);
    return rc;
}
