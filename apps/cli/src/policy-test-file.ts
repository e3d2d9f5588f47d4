import path from 'node:path';
import { fieldText } from '@postern/admin/check-shape';
import {
  checkPolicyFile,
  checkTestDocument,
  overlaidSections,
  runTestsOn,
  type TestedSections,
} from '@postern/admin/tested-policy';
import type { PolicyTestReport } from '@postern/policy';
import type { CliContext } from './context.ts';
import { Failure } from './exit.ts';
import { readYamlFile, type YamlFile } from './yaml-file.ts';

/** A file of policy tests after its run, or why it could not be run. */
export type PolicyTestRun =
  | {
      readonly kind: 'run';
      readonly name: string;
      readonly report: PolicyTestReport;
      /** By the place of the test. */
      readonly lineOf: (index: number) => number | undefined;
    }
  | { readonly kind: 'faulty'; readonly name: string; readonly faults: readonly string[] }
  /** It has no tests. */
  | { readonly kind: 'other'; readonly name: string };

/** Runs the tests of one file. */
export async function runPolicyTestFile(context: CliContext, name: string): Promise<PolicyTestRun> {
  try {
    const file = await readYamlFile(context, name);
    if (!hasTests(file.value)) return { kind: 'other', name };
    const document = acceptedValue(file, checkTestDocument(file.value));
    const policyFile = document.policy === undefined ? undefined : await readPolicyFile(context, file, document.policy);
    const sections = policyFile === undefined ? document : overlaidSections(policyFile.sections, document);
    const tested = await runTestsOn(sections, document.tests);
    if ('issues' in tested) throw faultsOf(tested.issues, file, policyFile?.file);
    return { kind: 'run', name, report: tested.report, lineOf: (index) => file.lineOf(`tests[${index}]`) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { kind: 'faulty', name, faults: error.lines.length > 0 ? error.lines : [error.message] };
  }
}

function hasTests(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'tests' in value;
}

interface PolicyFile {
  readonly file: YamlFile;
  readonly sections: TestedSections;
}

async function readPolicyFile(
  context: CliContext,
  { folder, name, lineOf }: YamlFile,
  policy: string,
): Promise<PolicyFile> {
  const absolute = path.resolve(folder, policy);
  const relative = path.relative(context.workingFolder, absolute);
  const file = await readYamlFile(context, relative.startsWith('..') ? absolute : relative).catch((error: unknown) => {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(error.message, [`${name}:${lineOf('policy') ?? 1}: policy: ${error.message}`, ...error.lines]);
  });
  return { file, sections: acceptedValue(file, checkPolicyFile(file.value)) };
}

type Issues = readonly { readonly path: readonly (string | number)[]; readonly message: string }[];

function acceptedValue<T>(file: YamlFile, checked: { readonly value: T | undefined; readonly issues: Issues }): T {
  if (checked.value !== undefined) return checked.value;
  throw faultsOf(checked.issues, file, undefined);
}

/** A fault in a section that the file does not have itself stands in the file that it names. */
function faultsOf(issues: Issues, file: YamlFile, policyFile: YamlFile | undefined): Failure {
  const lines = issues.map(({ path: place, message }) => {
    const isOwn = policyFile === undefined || Object.hasOwn(file.value as object, String(place[0]));
    const { name, lineOf } = isOwn ? file : policyFile;
    const field = fieldText(place);
    return field === '' ? `${name}:1: ${message}` : `${name}:${lineOf(field) ?? 1}: ${field}: ${message}`;
  });
  return new Failure(`${file.name} cannot be run`, lines);
}
