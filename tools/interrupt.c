/* interrupt.c -- see interrupt.h. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    if (caught)
        _Exit(128 + number);
    caught = number;
}

void interrupt_catch(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction was;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
            signal(numbers[i], on_signal);
}

int interrupt_caught(void)
{
    return caught;
}

void interrupt_obey(void)
{
    if (!caught)
        return;
    fflush(stdout);
    signal(caught, SIG_DFL);
    raise(caught);
}
