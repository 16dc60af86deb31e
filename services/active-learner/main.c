//  active-learner - scored alert in, the queries that would teach most out.

#include "weft_learner.h"

int
main (int argc, char *argv[])
{
    return weft_stage_main (argc, argv, &weft_learner_spec);
}
