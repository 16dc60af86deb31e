//  weft_paths.h - the files under a path, in an order that stays.
//
//  One thread at a time.

#ifndef WEFT_PATHS_H_INCLUDED
#define WEFT_PATHS_H_INCLUDED

#include "weft_base.h"

#define WEFT_PATHS_MOST 4000000u  //  files of one list
#define WEFT_PATHS_MOST_TEXT "4,000,000"
#define WEFT_PATHS_DEPTH 32  //  nested folders

typedef struct {
    char **items;  //  owned
    size_t n;
    size_t room;
} weft_paths_t;

//  What is said of a pipe, a socket or a device.
#define WEFT_PATHS_NO_FILE "no file"

//  Appends the files of a path: itself if it is no folder, else all files under
//  the folder whose names end with `ending` (NULL: any), sorted by their whole
//  path, byte by byte. Names that begin with a dot are left out, in folders. What
//  cannot be read there (a folder without rights, a link that leads nowhere or
//  back, no file) is an item of its own with a reason, and costs no other.
//  WEFT_ENOENT if there is no such thing, WEFT_ETOOBIG over a ceiling,
//  WEFT_ENOMEM.
WEFT_CHECK int
weft_paths_add (weft_paths_t *self, const char *path, const char *ending);

//  Why item `i` cannot be read, as far as is known without opening it: NULL, or
//  borrowed as long as the list.
const char *weft_paths_why (const weft_paths_t *self, size_t i);

//  Frees the list. Safe on zeros.
void weft_paths_fini (weft_paths_t *self);

#endif
