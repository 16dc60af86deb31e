//  weft_record_read.c - what filters saw, read again.

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "weft_record_parts.h"

#define TEXT_MOST (8 << 20)    //  bytes of a version's filters
#define ALERT_MOST (64 << 20)  //  bytes of one alert

static int
compare (const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

//  The numbers of all segments, in order. Returns new.
static int
find_segments (const char *path, uint32_t **out, size_t *n)
{
    DIR *folder = opendir (path);
    size_t room = 0;
    *out = NULL;
    *n = 0;
    if (!folder)
        return errno == ENOENT ? WEFT_ENOENT : WEFT_EDOWN;
    for (struct dirent *one; (one = readdir (folder));) {
        char *end;
        unsigned long number = strtoul (one->d_name, &end, 10);
        if (end != one->d_name + 8 || strcmp (end, ".idx") != 0)
            continue;
        if (*n == room) {
            room = room ? 2 * room : 64;
            uint32_t *more = realloc (*out, room * sizeof *more);
            if (!more) {
                free (*out);
                closedir (folder);
                return WEFT_ENOMEM;
            }
            *out = more;
        }
        (*out)[(*n)++] = (uint32_t)number;
    }
    closedir (folder);
    if (*n)
        qsort (*out, *n, sizeof **out, compare);
    return 0;
}

static int
read_index (const char *folder, uint32_t segment, weft_buf_t *entries)
{
    char path[PATH_MAX];
    uint8_t bytes[WEFT_RECORD_ENTRY];
    weft_record_path (folder, segment, "idx", path);
    FILE *file = fopen (path, "re");
    if (!file)
        return errno == ENOENT ? 0 : WEFT_EDOWN;  //  deleted meanwhile
    while (fread (bytes, sizeof bytes, 1, file) == 1) {
        weft_record_entry_t entry;
        weft_record_get (bytes, &entry);
        entry.segment = segment;
        weft_buf_add (entries, &entry, sizeof entry);
    }
    fclose (file);
    return entries->error;
}

int
weft_record_list (const char *folder, weft_record_entry_t **out, size_t *n)
{
    uint32_t *segments;
    size_t count, size;
    weft_buf_t entries;
    *out = NULL;
    *n = 0;
    int rc = find_segments (folder, &segments, &count);
    if (rc)
        return rc;
    weft_buf_init (&entries, SIZE_MAX / 2);
    for (size_t i = 0; i < count && !rc; i++)
        rc = read_index (folder, segments[i], &entries);
    free (segments);
    if (!rc) {
        *out =
            (weft_record_entry_t *)(void *)weft_buf_release (&entries, &size);
        *n = size / sizeof **out;
    }
    weft_buf_fini (&entries);
    return rc;
}

static int
read_bytes (const char *folder, const weft_record_entry_t *entry, uint8_t *out)
{
    char path[PATH_MAX];
    weft_record_path (folder, entry->segment, "seg", path);
    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? WEFT_ENOENT : WEFT_EDOWN;
    size_t size = (size_t)entry->size + entry->filters;
    ssize_t got = pread (fd, out, size, (off_t)entry->offset);
    close (fd);
    return got == (ssize_t)size ? 0 : WEFT_EMALFORMED;
}

int
weft_record_read (const char *folder,
                  const weft_record_entry_t *entry,
                  weft_alert_t **alert,
                  uint8_t *said)
{
    *alert = NULL;
    if (entry->size > ALERT_MOST)
        return WEFT_EMALFORMED;
    uint8_t *bytes = malloc ((size_t)entry->size + entry->filters + 1);
    if (!bytes)
        return WEFT_ENOMEM;
    int rc = read_bytes (folder, entry, bytes);
    if (!rc) {
        *alert = weft_alert_parse (bytes, entry->size);
        memcpy (said, bytes + entry->size, entry->filters);
        rc = *alert ? 0 : WEFT_EMALFORMED;
    }
    free (bytes);
    return rc;
}

char *
weft_record_filters_text (const char *folder, uint64_t version)
{
    char path[PATH_MAX];
    snprintf (path, sizeof path, "%s/%016llx.json", folder,
              (unsigned long long)version);
    FILE *file = fopen (path, "re");
    if (!file)
        return NULL;
    weft_buf_t text;
    uint8_t chunk[4096];
    weft_buf_init (&text, TEXT_MOST);
    for (size_t n; (n = fread (chunk, 1, sizeof chunk, file)) > 0;)
        weft_buf_add (&text, chunk, n);
    fclose (file);
    weft_buf_add (&text, "", 1);
    size_t size;
    char *out = text.error ? NULL : (char *)weft_buf_release (&text, &size);
    weft_buf_fini (&text);
    return out;
}
