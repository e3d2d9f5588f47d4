import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { lineOf } from './scan-source.ts';
import { type Finding, listFiles, type PackageManifest, readJson } from './source-tree.ts';

const LINK = /(?<!\\)\[(?:[^\][]|\[[^\][]*\])*\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm;
const NPM_RUN = /\bnpm run ([a-z][\w:-]*)/g;

/** Links between the files resolve, headings included, and every `npm run` names a script that exists. */
export function checkMarkdown(root: string): Finding[] {
  const scripts = Object.keys(readJson<PackageManifest>(root, 'package.json').scripts ?? {});
  return listFiles(root)
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const text = readFileSync(path.join(root, file), 'utf8');
      const links = [...withoutCode(text).matchAll(LINK)].flatMap((match) => {
        const message = checkLink(root, file, match[1] ?? match[2] ?? '');
        return message === undefined ? [] : [{ file, line: lineOf(text, match.index), message }];
      });
      const commands = [...text.matchAll(NPM_RUN)]
        .filter(([, name = '']) => !scripts.includes(name))
        .map((match) => ({
          file,
          line: lineOf(text, match.index),
          message: `package.json has no script "${match[1]}"`,
        }));
      return [...links, ...commands];
    });
}

function checkLink(root: string, file: string, link: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(link)) return undefined;
  const [target = '', anchor] = decodeURI(link).split('#');
  const resolved =
    target === '' ? file : path.posix.join(target.startsWith('/') ? '' : path.posix.dirname(file), target);
  const full = path.join(root, resolved);
  if (resolved.startsWith('..')) return `${link} leads out of the project`;
  if (!existsSync(full)) return `${link} leads nowhere`;
  if (anchor === undefined || !resolved.endsWith('.md') || !statSync(full).isFile()) return undefined;
  return headingIds(readFileSync(full, 'utf8')).has(anchor) ? undefined : `${link}: ${resolved} has no such heading`;
}

/** The ids that GitHub gives to headings: lower case, punctuation dropped, spaces as dashes, repetitions numbered. */
function headingIds(text: string): Set<string> {
  const ids = new Set<string>([...text.matchAll(/<a\s+(?:id|name)="([^"]+)"/g)].map(([, id = '']) => id));
  for (const [, heading = ''] of withoutFences(text).matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const id = plain.replace(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-');
    let unique = id;
    for (let count = 1; ids.has(unique); count += 1) unique = `${id}-${count}`;
    ids.add(unique);
  }
  return ids;
}

/** Blanks code, where brackets are no links; keeps length and lines. */
function withoutCode(text: string): string {
  return withoutFences(text).replace(/(`+)[^`](?:.*?[^`])?\1(?!`)/g, blank);
}

function withoutFences(text: string): string {
  return text.replace(/^ {0,3}(```+|~~~+)[^\n]*\n[\s\S]*?(?:^ {0,3}\1[`~]*[ \t]*$|(?![\s\S]))/gm, blank);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, ' ');
}
