/* cmd_completion.c -- `clcontrast completion SHELL`: a script that lets a shell complete commands,
 * options and values. The script asks the program itself (complete.h), so it never is out of date.
 */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const char bash[] =
    "# bash completion of clcontrast, made by `clcontrast completion bash`\n"
    "_clcontrast()\n"
    "{\n"
    "    local line current=\"${COMP_WORDS[COMP_CWORD]}\"\n"
    "    [ \"$current\" != = ] || current=\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        :files) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$current\") "
    ";;\n"
    "        :directories)\n"
    "            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- \"$current\") ;;\n"
    "        *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _clcontrast clcontrast\n";

static const char zsh[] = "#compdef clcontrast\n"
                          "# zsh completion of clcontrast, made by `clcontrast completion zsh`\n"
                          "_clcontrast() {\n"
                          "    local line tab=$'\\t' kind=\n"
                          "    local -a found\n"
                          "    for line in ${(f)\"$(\"$words[1]\" complete "
                          "\"${(@)words[2,CURRENT]}\" 2>/dev/null)\"}; do\n"
                          "        case $line in\n"
                          "        :*) kind=$line ;;\n"
                          "        *) found+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\") ;;\n"
                          "        esac\n"
                          "    done\n"
                          "    [[ -z $kind || $PREFIX != --*=* ]] || compset -P '*='\n"
                          "    case $kind in\n"
                          "    :files) _files ;;\n"
                          "    :directories) _files -/ ;;\n"
                          "    *) _describe clcontrast found ;;\n"
                          "    esac\n"
                          "}\n"
                          "if [[ $funcstack[1] == _clcontrast ]]; then\n"
                          "    _clcontrast \"$@\"\n"
                          "else\n"
                          "    compdef _clcontrast clcontrast\n"
                          "fi\n";

static const char fish[] =
    "# fish completion of clcontrast, made by `clcontrast completion fish`\n"
    "function __clcontrast_complete\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    $words[1] complete $words[2..-1] \"$current\" 2>/dev/null | while read -l line\n"
    "        switch $line\n"
    "            case :files\n"
    "                __fish_complete_path \"$current\"\n"
    "            case :directories\n"
    "                __fish_complete_directories \"$current\"\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c clcontrast -f -a '(__clcontrast_complete)'\n";

static const struct {
    const char *name, *text, *script;
} shells[] = {
    {"bash", "a file for bash-completion/completions, or for source", bash},
    {"zsh", "a file _clcontrast on the fpath, or for source after compinit", zsh},
    {"fish", "a file clcontrast.fish in fish/completions, or for source", fish},
};
enum { SHELLS = sizeof shells / sizeof *shells };

static const char *shell_name(size_t i, const char **text)
{
    *text = i < SHELLS ? shells[i].text : NULL;
    return i < SHELLS ? shells[i].name : NULL;
}

static const struct opt_names names = {.what = "script for a shell",
                                       .title = "Shells",
                                       .see = "it is one of bash, zsh and fish",
                                       .get = shell_name};

static int run(void *options, const struct opt_set *set)
{
    for (size_t i = 0; i < SHELLS; i++)
        if (strcmp(shells[i].name, set->args[0]) == 0)
            fputs(shells[i].script, stdout);
    return 0;
}

static const struct cmd_example examples[] = {
    {"eval \"$(clcontrast completion bash)\"", "in this bash, at once"},
    {"clcontrast completion bash > ~/.local/share/bash-completion/completions/clcontrast",
     "in each bash from now on"},
    {"clcontrast completion zsh > ~/.zfunc/_clcontrast", "where ~/.zfunc is on the fpath"},
    {"clcontrast completion fish > ~/.config/fish/completions/clcontrast.fish", "for fish"},
    {NULL, NULL},
};

const struct cmd cmd_completion = {
    .name = "completion",
    .summary = "print the script by which a shell completes commands and options",
    .args = "SHELL",
    .min_args = 1,
    .max_args = 1,
    .about =
        "Prints a script for a shell. With it the Tab key completes commands, options, and the "
        "values of options: methods, encoders, recipes, files. `meson install` and packages put "
        "the scripts in place.",
    .lists = &names,
    .arg_names = &names,
    .examples = examples,
    .run = run,
};
