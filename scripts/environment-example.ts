export interface EnvironmentVariable {
  readonly name: string;
  /** What holds when it is absent, as one would write it; undefined when nothing does. */
  readonly default: string | undefined;
  readonly description: string;
}

const ASSIGNMENT = /^#? ?([A-Z][A-Z0-9_]*)=(.*)$/gm;

/** The text of `.env.example`: every variable commented out with its default, so that a copy changes nothing. */
export function environmentExample(variables: readonly EnvironmentVariable[]): string {
  const head = '# Every variable Postern reads, with its default. Uncomment what you change.';
  const entries = variables.map(({ name, default: value, description }) => {
    const comment = description.split('\n').map((line) => `# ${line}`);
    return [...comment, `#${name}=${value ?? ''}`].join('\n');
  });
  return `${[head, ...entries].join('\n\n')}\n`;
}

/** Where the example and the code differ, both ways. */
export function checkEnvironmentExample(text: string, variables: readonly EnvironmentVariable[]): string[] {
  const listed = [...text.matchAll(ASSIGNMENT)].map(([, name = '', value = '']) => ({ name, value: value.trim() }));
  const known = new Map(variables.map((variable) => [variable.name, variable.default ?? '']));
  const names = listed.map(({ name }) => name);
  return [
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is listed twice`),
    ...names.filter((name) => !known.has(name)).map((name) => `${name} is not known to the code`),
    ...[...known.keys()].filter((name) => !names.includes(name)).map((name) => `${name} is not listed`),
    ...listed
      .filter(({ name, value }) => known.has(name) && known.get(name) !== value)
      .map(({ name, value }) => `${name} is "${value}" here, its default is "${known.get(name)}"`),
  ];
}
