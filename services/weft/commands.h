//  commands.h - the operator's commands, one function each. One thread.

#ifndef WEFT_COMMANDS_H_INCLUDED
#define WEFT_COMMANDS_H_INCLUDED

#include "weft_base.h"

#define COMMAND(name, about) int weft_cmd_##name (int argc, char *argv[]);
#include "commands.def"
#undef COMMAND

#endif
