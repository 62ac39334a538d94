#pragma once

// Each command's entry, in a file of its own; the table is in commands.cpp.
namespace posthorn::cli {

int run_dead_letters(int argc, char** argv);
int run_demo(int argc, char** argv);
int run_listen(int argc, char** argv);
int run_migrate(int argc, char** argv);
int run_rekey(int argc, char** argv);
int run_send(int argc, char** argv);
int run_token(int argc, char** argv);
int run_verify(int argc, char** argv);

}  // namespace posthorn::cli
