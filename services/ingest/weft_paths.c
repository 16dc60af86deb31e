//  weft_paths.c - walks folders and sorts what it finds.

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "weft_paths.h"

#define PATH_MOST 4096

//  The folders that one is in, up to the path that was asked for.
typedef struct folder {
    const struct folder *above;  //  NULL: none
    const char *path;
    int depth;
    dev_t dev;
    ino_t ino;
} folder_t;

//  An item is its path and, behind the path's end, why it cannot be read: "" of
//  the million that can.
static int
append (weft_paths_t *self, const char *path, const char *why)
{
    size_t size = strlen (path) + 1, tail = strlen (why) + 1;
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
    char *item = malloc (size + tail);
    if (!item)
        return WEFT_ENOMEM;
    memcpy (item, path, size);
    memcpy (item + size, why, tail);
    self->items[self->n++] = item;
    return 0;
}

const char *
weft_paths_why (const weft_paths_t *self, size_t i)
{
    const char *why = self->items[i] + strlen (self->items[i]) + 1;
    return *why ? why : NULL;
}

static bool
ends_with (const char *path, const char *ending)
{
    size_t size = strlen (path), tail = ending ? strlen (ending) : 0;
    return tail <= size &&
           !memcmp (path + size - tail, ending ? ending : "", tail);
}

static int walk (weft_paths_t *self,
                 const char *path,
                 const char *ending,
                 const folder_t *above);

//  What the folder says of an entry; asked for only where it does not know, as
//  a night has a million files. DT_UNKNOWN with errno: nobody knows.
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
                                    : DT_FIFO;
}

static int
add_entry (weft_paths_t *self,
           const char *path,
           unsigned char kind,
           const char *ending,
           const folder_t *above)
{
    kind = kind_of (path, kind);
    if (kind == DT_DIR)
        return walk (self, path, ending, above);
    if (!ends_with (path, ending))
        return 0;
    return append (self, path,
                   kind == DT_REG       ? ""
                   : kind == DT_UNKNOWN ? strerror (errno)
                                        : WEFT_PATHS_NO_FILE);
}

static int
add_entries (weft_paths_t *self,
             DIR *dir,
             const char *ending,
             const folder_t *folder)
{
    int rc = 0;
    size_t size = strlen (folder->path);
    const char *slash = size && folder->path[size - 1] == '/' ? "" : "/";
    struct dirent *entry;
    while (errno = 0, !rc && (entry = readdir (dir))) {
        char path[PATH_MOST];
        if (*entry->d_name == '.')
            continue;
        int n = snprintf (path, sizeof (path), "%s%s%s", folder->path, slash,
                          entry->d_name);
        rc = n >= (int)sizeof (path)
                 ? append (self, folder->path, strerror (ENAMETOOLONG))
                 : add_entry (self, path, entry->d_type, ending, folder);
    }
    return rc || !errno ? rc : append (self, folder->path, strerror (errno));
}

//  Is it one of those that it is in? By way of a link it then has no end.
static bool
is_within_itself (const folder_t *folder)
{
    for (const folder_t *one = folder->above; one; one = one->above)
        if (one->dev == folder->dev && one->ino == folder->ino)
            return true;
    return false;
}

static int
walk (weft_paths_t *self,
      const char *path,
      const char *ending,
      const folder_t *above)
{
    struct stat info;
    DIR *dir = opendir (path);
    if (!dir)
        return append (self, path, strerror (errno));
    if (fstat (dirfd (dir), &info)) {
        int rc = append (self, path, strerror (errno));
        closedir (dir);
        return rc;
    }
    folder_t folder = { .above = above,
                        .path = path,
                        .depth = above ? above->depth + 1 : 0,
                        .dev = info.st_dev,
                        .ino = info.st_ino };
    int rc = is_within_itself (&folder)
                 ? append (self, path, "a link to a folder that it is in")
             : folder.depth > WEFT_PATHS_DEPTH
                 ? append (self, path, weft_error_text (WEFT_ETOODEEP))
                 : add_entries (self, dir, ending, &folder);
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
        return errno == ENOENT || errno == ENOTDIR
                   ? WEFT_ENOENT
                   : append (self, path, strerror (errno));
    if (!S_ISDIR (info.st_mode))
        return append (self, path, "");
    int rc = walk (self, path, ending, NULL);
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
