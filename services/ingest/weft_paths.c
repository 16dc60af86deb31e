//  weft_paths.c - walks folders and sorts what it finds.

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "weft_paths.h"

#define PATH_MOST 4096

static int
append (weft_paths_t *self, const char *path)
{
    if (self->n == WEFT_PATHS_MOST)
        return WEFT_ETOOBIG;
    if (self->n == self->room) {
        size_t room = self->room ? 2 * self->room : 64;
        char **moved = realloc (self->items, room * sizeof (*moved));
        if (!moved)
            return WEFT_ENOMEM;
        self->items = moved;
        self->room = room;
    }
    self->items[self->n] = strdup (path);
    return self->items[self->n] ? (self->n++, 0) : WEFT_ENOMEM;
}

static bool
ends_with (const char *path, const char *ending)
{
    size_t size = strlen (path), tail = ending ? strlen (ending) : 0;
    return tail <= size &&
           !memcmp (path + size - tail, ending ? ending : "", tail);
}

static int
walk (weft_paths_t *self, const char *folder, const char *ending, int depth);

//  What the folder says of an entry; asked for only where it does not know, as
//  a night has a million files.
static unsigned char
kind_of (const char *path, unsigned char kind)
{
    struct stat info;
    if (kind != DT_UNKNOWN && kind != DT_LNK)
        return kind;
    if (stat (path, &info))
        return DT_UNKNOWN;  //  a dangling link, or gone since
    return S_ISDIR (info.st_mode)   ? DT_DIR
           : S_ISREG (info.st_mode) ? DT_REG
                                    : DT_UNKNOWN;
}

static int
add_entry (weft_paths_t *self,
           const char *path,
           unsigned char kind,
           const char *ending,
           int depth)
{
    kind = kind_of (path, kind);
    if (kind == DT_DIR)
        return depth < WEFT_PATHS_DEPTH ? walk (self, path, ending, depth + 1)
                                        : WEFT_ETOODEEP;
    if (kind == DT_REG && ends_with (path, ending))
        return append (self, path);
    return 0;
}

static int
walk (weft_paths_t *self, const char *folder, const char *ending, int depth)
{
    DIR *dir = opendir (folder);
    if (!dir)
        return WEFT_EIO;
    int rc = 0;
    size_t size = strlen (folder);
    const char *slash = size && folder[size - 1] == '/' ? "" : "/";
    struct dirent *entry;
    while (!rc && (entry = readdir (dir))) {
        char path[PATH_MOST];
        if (*entry->d_name == '.')
            continue;
        int n = snprintf (path, sizeof (path), "%s%s%s", folder, slash,
                          entry->d_name);
        rc = n >= (int)sizeof (path)
                 ? WEFT_ETOOBIG
                 : add_entry (self, path, entry->d_type, ending, depth);
    }
    closedir (dir);
    return rc;
}

static int
compare (const void *x, const void *y)
{
    return strcmp (*(char *const *)x, *(char *const *)y);
}

int
weft_paths_add (weft_paths_t *self, const char *path, const char *ending)
{
    struct stat info;
    size_t first = self->n;
    if (stat (path, &info))
        return errno == ENOENT || errno == ENOTDIR ? WEFT_ENOENT : WEFT_EIO;
    if (!S_ISDIR (info.st_mode))
        return append (self, path);
    int rc = walk (self, path, ending, 0);
    if (self->n > first)
        qsort (self->items + first, self->n - first, sizeof (*self->items),
               compare);
    return rc;
}

void
weft_paths_fini (weft_paths_t *self)
{
    for (size_t i = 0; i < self->n; i++)
        free (self->items[i]);
    free (self->items);
    *self = (weft_paths_t){ 0 };
}
