//  weft_model_file.h - the last good model on disk, for when Redis is down.
//
//  One file a model name, DIR/NAME.model: magic, size and SHA-256 of a section
//  in model.v1, then the section. Written beside and renamed, so that a reader
//  sees the old one or the new one. Any thread; several processes may write.

#ifndef WEFT_MODEL_FILE_H_INCLUDED
#define WEFT_MODEL_FILE_H_INCLUDED

#include "weft_buf.h"

//  Is this a name that can be a file's and a key's: letters, digits, '_', '-',
//  '.', not first a '.', at most 63?
bool weft_model_name_ok (const char *name);

//  Writes durably. WEFT_EIO if the disk does not take it.
WEFT_CHECK int weft_model_file_write (const char *dir,
                                      const char *name,
                                      const void *section,
                                      size_t size);

//  Reads the section into `out` (cleared first). WEFT_EAGAIN if there is no
//  file, WEFT_ETRUNCATED or WEFT_EMALFORMED if it is damaged, WEFT_EIO.
WEFT_CHECK int
weft_model_file_read (const char *dir, const char *name, weft_buf_t *out);

//  Changes whenever the file is written; 0 if there is none.
uint64_t weft_model_file_stamp (const char *dir, const char *name);

#endif
