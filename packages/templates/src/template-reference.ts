/** `name@version`, taken apart. */
export interface TemplateReference {
  readonly name: string;
  readonly version: number;
}

/** Takes apart what `templateReferenceSchema` accepts; undefined for everything else. */
export function readReference(text: string): TemplateReference | undefined {
  const [, name, version] = /^(.+)@([1-9]\d{0,5})$/.exec(text) ?? [];
  return name === undefined ? undefined : { name, version: Number(version) };
}

export function referenceTo({ name, version }: TemplateReference): string {
  return `${name}@${version}`;
}
