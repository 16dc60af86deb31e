//  classifier - featured alert in, classified alert out.

#include "weft_classifier.h"

int
main (int argc, char *argv[])
{
    return weft_stage_main (argc, argv, &weft_classifier_spec);
}
