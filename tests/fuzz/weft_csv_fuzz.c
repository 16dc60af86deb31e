//  Catalogue files from anybody: any bytes are read or refused.

#include <stdlib.h>
#include <string.h>

#include "weft_catalog.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    bool header = data[0] & 1;
    weft_catalog_plan_t plan = { .ra = header ? "ra" : "#1",
                                 .dec = header ? "dec" : "#2",
                                 .id = "#3",
                                 .type = "#4",
                                 .z = "#5",
                                 .delimiter = (char)data[1],
                                 .header = header,
                                 .sexagesimal = data[0] & 2,
                                 .radius = data[0] / 16.0 };
    char why[128];
    char *copy = malloc (size);
    weft_catalog_t *catalog;
    if (copy == NULL)
        return 0;
    memcpy (copy, data + 2, size - 2);
    if (weft_catalog_parse (&catalog, &plan, copy, size - 2, why, sizeof why) ==
        0) {
        weft_sky_hit_t hits[4];
        uint32_t found;
        uint32_t n = weft_sky_cone (weft_catalog_sky (catalog), 0, 0, 180, hits,
                                    4, &found);
        weft_catalog_row_t row;
        for (uint32_t i = 0; i < n; i++)
            weft_catalog_row (catalog, hits[i].row, &row);
        if (found != weft_catalog_rows (catalog))
            abort ();
    }
    weft_catalog_destroy (&catalog);
    free (copy);
    return 0;
}
