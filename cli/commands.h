/* The subcommands: argv[0] is the subcommand's own name; each returns the exit code. */
#ifndef INF_CLI_COMMANDS_H
#define INF_CLI_COMMANDS_H

int cmd_serve(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_agent(int argc, char **argv);
int cmd_key(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_login(int argc, char **argv);
int cmd_prompt(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_tail(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_journal(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_version(int argc, char **argv);

#endif
