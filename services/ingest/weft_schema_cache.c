//  weft_schema_cache.c - files of schemas by id.

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft_hash.h"
#include "weft_schema_cache.h"

#define PATH_ROOM 4200

int
weft_schema_cache_open (const char *folder,
                        const char *url,
                        char *path,
                        size_t room)
{
    uint8_t sum[32];
    weft_sha256 (url, strlen (url), sum);
    int n = snprintf (path, room, "%s/registry-%02x%02x%02x%02x", folder,
                      sum[0], sum[1], sum[2], sum[3]);
    if (n < 0 || (size_t)n >= room)
        return WEFT_EIO;
    if ((mkdir (folder, 0755) && errno != EEXIST) ||
        (mkdir (path, 0755) && errno != EEXIST))
        return WEFT_EIO;
    return 0;
}

static bool
name_file (char *out, const char *path, uint32_t id, size_t i, const char *end)
{
    int n = i ? snprintf (out, PATH_ROOM, "%s/%u.%zu.avsc%s", path, id, i, end)
              : snprintf (out, PATH_ROOM, "%s/%u.avsc%s", path, id, end);
    return n > 0 && n < PATH_ROOM;
}

static bool
write_all (int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t n = write (fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        text += n;
        size -= (size_t)n;
    }
    return fsync (fd) == 0;
}

int
weft_schema_cache_write (
    const char *path, uint32_t id, size_t i, const char *text, size_t size)
{
    char name[PATH_ROOM], temporary[PATH_ROOM];
    if (!name_file (name, path, id, i, "") ||
        !name_file (temporary, path, id, i, ".new"))
        return WEFT_EIO;
    int fd = open (temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return WEFT_EIO;
    bool good = write_all (fd, text, size);
    good = close (fd) == 0 && good;
    if (good && !rename (temporary, name))
        return 0;
    (void)unlink (temporary);
    return WEFT_EIO;
}

char *
weft_schema_cache_read (const char *path, uint32_t id, size_t i, size_t *size)
{
    char name[PATH_ROOM];
    if (!name_file (name, path, id, i, ""))
        return NULL;
    FILE *file = fopen (name, "rb");
    char *text = file ? malloc (WEFT_AVRO_TEXT_MOST + 1) : NULL;
    *size = text ? fread (text, 1, WEFT_AVRO_TEXT_MOST + 1, file) : 0;
    if (file)
        (void)fclose (file);
    if (text && *size && *size <= WEFT_AVRO_TEXT_MOST) {
        text[*size] = 0;
        return text;
    }
    free (text);
    return NULL;
}
