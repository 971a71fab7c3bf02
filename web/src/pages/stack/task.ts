/** The command line that has a command run as a task: a single word after -- is a whole command of the shell. */
export function taskCommand(stack: string, command: string, skipInit = false): string {
  return `roadbed stack task ${stack}${skipInit ? ' --skip-init' : ''} -- ${command.trim() ? `'${command.replaceAll("'", `'\\''`)}'` : 'COMMAND'}`;
}
