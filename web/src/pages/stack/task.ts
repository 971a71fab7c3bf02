/** The command line that has a command run as a task: a single word after -- is a whole command of the shell. */
export function taskCommand(stack: string, command: string): string {
  return `roadbed stack task ${stack} -- ${command.trim() ? `'${command.replaceAll("'", `'\\''`)}'` : 'COMMAND'}`;
}
