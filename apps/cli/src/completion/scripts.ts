import type { Level, Word } from './levels.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script that the shell reads; it knows the commands of this version and starts no program. */
export const SCRIPTS: Record<Shell, (levels: readonly Level[]) => string> = { bash, zsh, fish };

function bash(levels: readonly Level[]): string {
  return `# postern completion for bash: source <(postern completion bash)
_postern() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place="" word index
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    case "$place/$word" in
      ${placesOf(levels).join(' | ')}) place="$place/$word" ;;
    esac
  done
  case "$place" in
${levels.map(({ place, words }) => `    "${place}") COMPREPLY=($(compgen -W "${textsOf(words).join(' ')}" -- "$current")) ;;`).join('\n')}
  esac
}
complete -o default -F _postern postern
`;
}

function zsh(levels: readonly Level[]): string {
  const described = (words: readonly Word[]) =>
    words.map(({ text, summary }) => quoted(`${text}:${summary}`)).join(' ');
  return `#compdef postern
# postern completion for zsh: source <(postern completion zsh)
_postern() {
  local place="" word
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$place/$word" in
      ${placesOf(levels).join(' | ')}) place="$place/$word" ;;
    esac
  done
  case "$place" in
${levels.map(({ place, words }) => `    "${place}") candidates=(${described(words)}) ;;`).join('\n')}
  esac
  _describe postern candidates || _files
}
if [ "$funcstack[1]" = "_postern" ]; then _postern "$@"; else compdef _postern postern; fi
`;
}

function fish(levels: readonly Level[]): string {
  const lines = levels.flatMap(({ place, words }) => {
    const condition = `-n 'test (__postern_place) = "${place}"'`;
    return words.map(({ text, summary, kind, takesValue }) => {
      const what = kind === 'command' ? `-f -a ${text}` : `-l ${text.replace(/^--/, '')}${takesValue ? ' -r' : ''}`;
      return `complete -c postern ${condition} ${what} -d ${quotedForFish(summary)}`;
    });
  });
  return `# postern completion for fish: postern completion fish | source
function __postern_place
  set -l place ''
  for word in (commandline -opc)[2..-1]
    switch "$place/$word"
      case ${placesOf(levels).join(' ')}
        set place "$place/$word"
    end
  end
  echo $place
end
${lines.join('\n')}
`;
}

/** All but the program itself, which no word leads to. */
function placesOf(levels: readonly Level[]): readonly string[] {
  return levels.map(({ place }) => place).filter((place) => place !== '');
}

function textsOf(words: readonly Word[]): readonly string[] {
  return words.map(({ text }) => text);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function quotedForFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
