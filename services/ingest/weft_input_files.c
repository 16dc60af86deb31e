//  weft_input_files.c - files, folders and tar archives as messages.
//
//  A file is read whole; a tar archive, or what is compressed, message by
//  message (weft_bundle.h).

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft_bundle.h"
#include "weft_decoder.h"
#include "weft_hash.h"
#include "weft_paths.h"

typedef struct {
    weft_input_t input;  //  first: what callers hold
    weft_paths_t paths;
    weft_place_t next;      //  place of the next message
    weft_bundle_t *bundle;  //  that is being read, or NULL
    int fd;                 //  its file
    uint8_t *data;
    size_t size, room;
    bool archived;  //  what the last message was
    uint64_t identity;
    char why[WEFT_INPUT_WHY];
} files_t;

static int
make_room (files_t *self, size_t size)
{
    if (size > WEFT_MESSAGE_MOST)
        return WEFT_ETOOBIG;
    if (size <= self->room)
        return 0;
    uint8_t *moved = realloc (self->data, size);
    if (!moved)
        return WEFT_ENOMEM;
    self->data = moved;
    self->room = size;
    return 0;
}

static int
say (files_t *self, int rc, const char *what)
{
    snprintf (self->why, sizeof (self->why), "%s", what);
    return rc;
}

//  Reads an open file whole.
static int
read_whole (files_t *self, int fd, size_t size)
{
    //  One byte more shows that the file has grown meanwhile.
    int rc = make_room (self, size + 1);
    if (rc)
        return say (self, rc, weft_error_text (rc));
    self->size = 0;
    for (;;) {
        ssize_t n = read (fd, self->data + self->size, self->room - self->size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return say (self, WEFT_EIO, strerror (errno));
        self->size += (size_t)n;
        if (!n)
            return 0;
        if (self->size == self->room && (rc = make_room (self, 2 * self->room)))
            return say (self, rc, "larger than a message may be");
    }
}

//  Opens a file, and nothing else: a pipe would keep us until somebody writes.
static int
open_file (const char *path, const char **why)
{
    struct stat info;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        //  A socket.
        *why = errno == ENXIO ? WEFT_PATHS_NO_FILE : strerror (errno);
        return -1;
    }
    *why = fstat (fd, &info)                   ? strerror (errno)
           : !S_ISREG (info.st_mode)           ? WEFT_PATHS_NO_FILE
           : fcntl (fd, F_SETFL, O_RDONLY) < 0 ? strerror (errno)
                                               : NULL;
    if (!*why)
        return fd;
    close (fd);
    return -1;
}

static int
read_file (files_t *self, const char *path)
{
    const char *why;
    struct stat info;
    int fd = open_file (path, &why);
    if (fd < 0)
        return say (self, WEFT_EIO, why);
    int rc = fstat (fd, &info) ? say (self, WEFT_EIO, strerror (errno))
             : info.st_size > WEFT_MESSAGE_MOST
                 ? say (self, WEFT_ETOOBIG, "larger than a message may be")
                 : read_whole (self, fd, (size_t)info.st_size);
    close (fd);
    return rc;
}

//  By its first bytes: ustar in place, or a compression that tar files come in.
static bool
is_archive (const char *path)
{
    const char *why;
    uint8_t head[264] = { 0 };
    int fd = open_file (path, &why);
    if (fd < 0)
        return false;
    ssize_t n = read (fd, head, sizeof (head));
    close (fd);
    return (n >= 263 && !memcmp (head + 257, "ustar", 5)) ||
           (n >= 6 && (!memcmp (head, "\x1f\x8b", 2) ||
                       !memcmp (head,
                                "\xfd"
                                "7zXZ",
                                5) ||
                       !memcmp (head, "BZh", 3) ||
                       !memcmp (head, "\x28\xb5\x2f\xfd", 4)));
}

//  Nothing but the zeros that end a tar archive, of the sizes that tar pads it
//  to. Other files of zeros were something else: a disk has lost them.
static bool
is_empty_archive (const files_t *self)
{
    return self->size >= 1024 && self->size <= 10240 && self->size % 512 == 0 &&
           !self->data[0] &&
           !memcmp (self->data, self->data + 1, self->size - 1);
}

static void
close_bundle (files_t *self)
{
    if (self->bundle)
        close (self->fd);
    weft_bundle_destroy (&self->bundle);
}

static int
open_bundle (files_t *self, const char *path)
{
    const char *why;
    self->fd = open_file (path, &why);
    if (self->fd < 0)
        return say (self, WEFT_EIO, why);
    self->bundle = weft_bundle_new (self->fd, self->why);
    if (self->bundle)
        return 0;
    close (self->fd);
    return WEFT_EMALFORMED;
}

static void
next_file (files_t *self)
{
    close_bundle (self);
    self->next.file++;
    self->next.entry = self->next.item = 0;
}

static void
fill (files_t *self, weft_message_t *message, const weft_piece_t *piece)
{
    *message = (weft_message_t){
        .place = self->next,
        .path = self->paths.items[self->next.file],
        .archived = self->archived,
        .entry = piece->entry,
        .data = piece->data,
        .size = piece->size,
        .why = piece->why,
    };
}

//  True: it is a bundle, which has the messages, or has none; else the file is
//  one.
static bool
open_next (files_t *self, const char *path, weft_piece_t *piece)
{
    const char *why = weft_paths_why (&self->paths, self->next.file);
    self->archived = !why && is_archive (path);
    int rc = why              ? say (self, WEFT_EIO, why)
             : self->archived ? open_bundle (self, path)
                              : read_file (self, path);
    if (rc)
        *piece = (weft_piece_t){ .why = self->why };
    else
        *piece = (weft_piece_t){ .data = self->data, .size = self->size };
    if (!rc && !self->archived && is_empty_archive (self)) {
        next_file (self);
        return true;
    }
    return self->archived && !rc;
}

static int
files_next (weft_input_t *input, weft_message_t *message)
{
    files_t *self = (files_t *)(void *)input;
    weft_piece_t piece = { 0 };
    while (self->next.file < self->paths.n) {
        const char *path = self->paths.items[self->next.file];
        if (self->bundle) {
            if (weft_bundle_next (self->bundle, &piece)) {
                fill (self, message, &piece);
                return 1;
            }
            next_file (self);
            continue;
        }
        //  An archive that could not be opened is behind us.
        if (self->archived && self->next.entry) {
            self->archived = false;
            next_file (self);
            continue;
        }
        if (open_next (self, path, &piece))
            continue;
        fill (self, message, &piece);
        return 1;
    }
    return 0;
}

static void
files_advance (weft_input_t *input, uint64_t items)
{
    files_t *self = (files_t *)(void *)input;
    self->next.offset += (int64_t)items;
    self->next.item += items;
    if (self->archived)
        self->next.entry++;
    else
        next_file (self);
}

static int
files_seek (weft_input_t *input, const weft_place_t *place)
{
    files_t *self = (files_t *)(void *)input;
    if (place->file > self->paths.n)
        return WEFT_ENOENT;
    weft_piece_t piece;
    close_bundle (self);
    self->archived = false;
    self->next = *place;
    if (!place->entry || place->file == self->paths.n)
        return 0;
    self->archived = true;
    int rc = open_bundle (self, self->paths.items[place->file]);
    for (uint64_t i = 0; !rc && i < place->entry; i++)
        rc = weft_bundle_next (self->bundle, &piece) ? 0 : WEFT_ENOENT;
    return rc;
}

//  A file that was written anew is another input, too.
static uint64_t
identify (char *const *items, size_t n)
{
    uint64_t identity = weft_hash_u64 (n);
    for (size_t i = 0; i < n; i++) {
        struct stat info;
        identity =
            weft_hash_u64 (identity ^ weft_hash (items[i], strlen (items[i])));
        if (stat (items[i], &info))
            continue;
        identity = weft_hash_u64 (identity ^ (uint64_t)info.st_size);
        identity = weft_hash_u64 (identity ^ (uint64_t)info.st_mtim.tv_sec ^
                                  (uint64_t)info.st_mtim.tv_nsec << 32);
    }
    return identity;
}

static uint64_t
files_identity (const weft_input_t *input)
{
    return ((const files_t *)(const void *)input)->identity;
}

static void
files_destroy (weft_input_t **self_p)
{
    files_t *self = (files_t *)(void *)*self_p;
    close_bundle (self);
    weft_paths_fini (&self->paths);
    free (self->data);
    free (self);
    *self_p = NULL;
}

weft_input_t *
weft_input_files (char *const *paths, size_t n, char why[WEFT_INPUT_WHY])
{
    files_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_INPUT_WHY, "out of memory");
        return NULL;
    }
    self->input = (weft_input_t){ .next = files_next,
                                  .advance = files_advance,
                                  .seek = files_seek,
                                  .identity = files_identity,
                                  .destroy = files_destroy };
    weft_input_t *input = &self->input;
    for (size_t i = 0; i < n; i++) {
        int rc = weft_paths_add (&self->paths, paths[i], NULL);
        if (!rc)
            continue;
        snprintf (why, WEFT_INPUT_WHY, "%.400s: %s", paths[i],
                  rc == WEFT_ENOENT ? "there is no such file or folder"
                  : rc == WEFT_ETOOBIG
                      ? "more files than can be listed (" WEFT_PATHS_MOST_TEXT
                        "), or a longer path; put them into tar archives"
                      : weft_error_text (rc));
        files_destroy (&input);
        return NULL;
    }
    self->identity = identify (self->paths.items, self->paths.n);
    return input;
}
