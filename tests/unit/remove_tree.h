//  remove_tree.h - takes a test's folder away with all that is in it.

#ifndef REMOVE_TREE_H_INCLUDED
#define REMOVE_TREE_H_INCLUDED

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

//  0, or -1 with errno. Folders in folders, not more.
static inline int
remove_tree (const char *path)  // NOLINT(misc-no-recursion)
{
    char name[PATH_MAX];
    DIR *dir = opendir (path);
    for (struct dirent *one; dir && (one = readdir (dir));) {
        if (one->d_name[0] == '.')
            continue;
        snprintf (name, sizeof name, "%s/%s", path, one->d_name);
        if (unlink (name))
            (void)remove_tree (name);
    }
    if (dir)
        closedir (dir);
    return rmdir (path);
}

#endif
