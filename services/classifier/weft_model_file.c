//  weft_model_file.c - see weft_model_file.h.

#include "weft_model_file.h"

#include "weft_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "WEFTMDL1"
#define HEAD_SIZE 48  //  magic 8, size 8, SHA-256 32

bool
weft_model_name_ok (const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-.";
    size_t size = strspn (name, allowed);
    return size && size < 64 && !name[size] && name[0] != '.';
}

static int
make_path (char path[PATH_MAX],
           const char *dir,
           const char *name,
           const char *end)
{
    int size = snprintf (path, PATH_MAX, "%s/%s.model%s", dir, name, end);
    return size > 0 && size < PATH_MAX ? 0 : WEFT_ERANGE;
}

static int
write_all (int fd, const void *data, size_t size)
{
    const uint8_t *at = data;
    while (size) {
        ssize_t n = write (fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return WEFT_EIO;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static int
write_file (const char *path, const void *section, size_t size)
{
    uint8_t head[HEAD_SIZE] = MAGIC;
    weft_put_u64 (head + 8, size);
    weft_sha256 (section, size, head + 16);
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return WEFT_EIO;
    int rc = write_all (fd, head, sizeof (head));
    rc = rc ? rc : write_all (fd, section, size);
    if (!rc && fsync (fd))
        rc = WEFT_EIO;
    if (close (fd) && !rc)
        rc = WEFT_EIO;
    return rc;
}

//  A rename is durable when the folder is.
static int
sync_folder (const char *dir)
{
    int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return WEFT_EIO;
    int rc = fsync (fd) ? WEFT_EIO : 0;
    close (fd);
    return rc;
}

int
weft_model_file_write (const char *dir,
                       const char *name,
                       const void *section,
                       size_t size)
{
    char path[PATH_MAX], made[PATH_MAX], end[32];
    snprintf (end, sizeof (end), ".%ld", (long)getpid ());
    int rc = make_path (path, dir, name, "");
    rc = rc ? rc : make_path (made, dir, name, end);
    rc = rc ? rc : write_file (made, section, size);
    if (!rc && rename (made, path))
        rc = WEFT_EIO;
    if (rc)
        unlink (made);
    return rc ? rc : sync_folder (dir);
}

static int
read_all (int fd, weft_buf_t *out, size_t size)
{
    uint8_t *at = weft_buf_grow (out, size);
    if (!at)
        return out->error;
    while (size) {
        ssize_t n = read (fd, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n ? WEFT_EIO : WEFT_ETRUNCATED;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

static int
read_checked (int fd, weft_buf_t *out)
{
    uint8_t head[HEAD_SIZE];
    uint8_t digest[32];
    struct stat about;
    if (fstat (fd, &about))
        return WEFT_EIO;
    int rc = read_all (fd, out, HEAD_SIZE);
    if (rc)
        return rc;
    memcpy (head, out->data, HEAD_SIZE);
    weft_buf_clear (out);
    if (memcmp (head, MAGIC, 8))
        return WEFT_EMALFORMED;
    if (weft_get_u64 (head + 8) != (uint64_t)about.st_size - HEAD_SIZE)
        return WEFT_ETRUNCATED;
    rc = read_all (fd, out, weft_get_u64 (head + 8));
    if (rc)
        return rc;
    weft_sha256 (out->data, out->size, digest);
    return memcmp (digest, head + 16, 32) ? WEFT_EMALFORMED : 0;
}

int
weft_model_file_read (const char *dir, const char *name, weft_buf_t *out)
{
    char path[PATH_MAX];
    weft_buf_clear (out);
    int rc = make_path (path, dir, name, "");
    if (rc)
        return rc;
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? WEFT_EAGAIN : WEFT_EIO;
    rc = read_checked (fd, out);
    close (fd);
    if (rc)
        weft_buf_clear (out);
    return rc;
}

uint64_t
weft_model_file_stamp (const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat about;
    if (make_path (path, dir, name, "") || stat (path, &about))
        return 0;
    return weft_hash_u64 ((uint64_t)about.st_mtim.tv_nsec +
                          ((uint64_t)about.st_mtim.tv_sec << 30)) ^
           (uint64_t)about.st_ino;
}
