//  sim_tar.h - writes a tar archive (POSIX ustar), file after file.
//
//  No times, no owners: the same files give the same bytes. One thread.

#ifndef WEFT_SIM_TAR_H_INCLUDED
#define WEFT_SIM_TAR_H_INCLUDED

#include "weft_base.h"

#define SIM_TAR_NAME_MOST 99

//  Appends one file; the name has at most SIM_TAR_NAME_MOST bytes. WEFT_EIO if
//  the archive does not take it.
WEFT_CHECK int
sim_tar_add (FILE *archive, const char *name, const void *data, size_t size);

//  Writes the end mark.
WEFT_CHECK int sim_tar_end (FILE *archive);

#endif
