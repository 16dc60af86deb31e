//  weft contract - prints contracts as Markdown, from the tables that the
//  code works with.

#include "commands.h"
#include "weft_contracts.h"

int
weft_cmd_contract (int argc, char *argv[])
{
    if (argc > 1 && !strcmp (argv[1], "--help")) {
        printf ("usage: weft contract [NAME...]\n\n"
                "Prints the contracts (all, or those named, e.g. alert.v1)\n"
                "as Markdown tables.\n");
        return 0;
    }
    for (size_t i = 0; argc == 1 && weft_contract_at (i); i++)
        weft_contract_document (weft_contract_at (i), stdout);
    for (int i = 1; i < argc; i++) {
        const weft_contract_t *contract = weft_contract_find (argv[i]);
        if (!contract) {
            fprintf (stderr, "weft contract: there is no contract '%s'\n",
                     argv[i]);
            return 2;
        }
        weft_contract_document (contract, stdout);
    }
    return 0;
}
