import type { Command, Option } from 'commander';

/** Something that may come next on the command line. */
export interface Word {
  readonly text: string;
  readonly summary: string;
  readonly kind: 'command' | 'option';
  /** Whether a value follows. */
  readonly takesValue: boolean;
}

/** What may follow after the commands of `place`: `''` for the program, `/agents/keys` for that command. */
export interface Level {
  readonly place: string;
  readonly words: readonly Word[];
}

/** Every command of the program with what may follow it. */
export function completionLevels(program: Command): readonly Level[] {
  const shared = optionWords(program.options.filter(({ long }) => long !== '--version'));
  return levelsBelow(program, '', shared);
}

function levelsBelow(command: Command, place: string, shared: readonly Word[]): Level[] {
  const commands = command.commands.map((child): Word => {
    return { text: child.name(), summary: child.description(), kind: 'command', takesValue: false };
  });
  const own = place === '' ? [] : optionWords(command.options);
  const help: Word = { text: '--help', summary: 'Show what the command takes', kind: 'option', takesValue: false };
  const level = { place, words: [...commands, ...own, ...shared, help] };
  return [level, ...command.commands.flatMap((child) => levelsBelow(child, `${place}/${child.name()}`, shared))];
}

function optionWords(options: readonly Option[]): Word[] {
  return options.map(({ long, short, description, required, optional }) => {
    return { text: long ?? short ?? '', summary: description, kind: 'option', takesValue: required || optional };
  });
}
