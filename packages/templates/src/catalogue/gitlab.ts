import type { TemplateInput } from '@postern/schemas';
import { READ, WRITE } from './methods.ts';

const API = '/api/v4';
const PROJECT = `${API}/projects/{project}`;
const GROUP = `${API}/groups/{group}`;

function inProject(...paths: string[]): string[] {
  return paths.map((path) => `${PROJECT}/${path}`);
}

/** What projects and groups both have. */
function inBoth(...paths: string[]): string[] {
  return [PROJECT, GROUP].flatMap((parent) => paths.map((path) => `${parent}/${path}`));
}

export const gitlab: TemplateInput = {
  name: 'gitlab',
  version: 1,
  provider: 'gitlab',
  title: 'GitLab REST API',
  description:
    'gitlab.com; a server of your own has the same paths. A project is its number or its path as one segment (group%2Fproject). ' +
    'For /api/graphql the base URL must be https://gitlab.com. A path cannot tell which files a commit changes, so rule on ' +
    '.gitlab-ci.yml with a condition. Some throttles (project export) answer 429 with a reset that is too early.',
  sources: [
    'https://docs.gitlab.com/api/rest/',
    'https://docs.gitlab.com/api/api_resources/',
    'https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/',
    'https://docs.gitlab.com/api/projects/',
    'https://docs.gitlab.com/api/merge_requests/',
    'https://docs.gitlab.com/api/project_level_variables/',
    'https://docs.gitlab.com/api/protected_branches/',
  ],
  baseUrl: 'https://gitlab.com/api/v4',
  hosts: ['gitlab.com'],
  credential: {
    type: 'bearer',
    hint: 'A project access token with role Reporter or Developer: a maintainer reads the token of the runners with the project',
  },
  actions: [
    {
      name: 'projects.read',
      methods: READ,
      paths: [
        `${API}/projects`,
        PROJECT,
        `${API}/groups`,
        GROUP,
        `${GROUP}/projects`,
        `${GROUP}/subgroups`,
        `${API}/namespaces/**`,
        ...inProject('languages', 'forks', 'events', 'users', 'protected_branches/**', 'protected_tags/**'),
        ...inBoth('members/**'),
      ],
      risk: 'low',
    },
    { name: 'users.read', methods: READ, paths: [`${API}/user`, `${API}/users`, `${API}/users/{user}`], risk: 'low' },
    { name: 'search.read', methods: READ, paths: [`${API}/search`, ...inBoth('search')], risk: 'low' },
    { name: 'repository.read', methods: READ, paths: inProject('repository/**'), risk: 'low' },
    {
      name: 'repository.write',
      methods: ['POST', 'PUT'],
      paths: inProject(
        'repository/files/**',
        'repository/commits/**',
        'repository/branches',
        'repository/tags',
        'repository/submodules/**',
      ),
      risk: 'medium',
    },
    { name: 'files.delete', methods: ['DELETE'], paths: inProject('repository/files/**'), risk: 'medium' },
    {
      name: 'refs.delete',
      methods: ['DELETE'],
      paths: inProject('repository/branches/**', 'repository/merged_branches', 'repository/tags/**'),
      risk: 'high',
    },
    {
      name: 'issues.read',
      methods: READ,
      paths: [
        `${API}/issues`,
        ...inProject('issues/**'),
        ...inBoth('labels/**', 'milestones/**', 'boards/**'),
        `${GROUP}/issues`,
      ],
      risk: 'low',
    },
    {
      name: 'issues.write',
      methods: ['POST', 'PUT'],
      paths: inProject('issues/**', 'labels/**', 'milestones/**'),
      risk: 'medium',
    },
    {
      name: 'issues.delete',
      methods: ['DELETE'],
      paths: inProject('issues/**', 'labels/**', 'milestones/**'),
      risk: 'high',
    },
    {
      name: 'merge-requests.read',
      methods: READ,
      paths: [`${API}/merge_requests`, `${GROUP}/merge_requests`, ...inProject('merge_requests/**')],
      risk: 'low',
    },
    {
      name: 'merge-requests.write',
      methods: ['POST', 'PUT'],
      paths: inProject(
        'merge_requests',
        'merge_requests/{iid}',
        'merge_requests/{iid}/notes/**',
        'merge_requests/{iid}/discussions/**',
        'merge_requests/{iid}/draft_notes/**',
        'merge_requests/{iid}/rebase',
      ),
      risk: 'medium',
    },
    { name: 'merge-requests.delete', methods: ['DELETE'], paths: inProject('merge_requests/**'), risk: 'high' },
    {
      name: 'merge-requests.approve',
      methods: ['POST'],
      paths: inProject('merge_requests/{iid}/approve', 'merge_requests/{iid}/approve/'),
      risk: 'high',
    },
    {
      name: 'merge-requests.merge',
      methods: ['PUT'],
      paths: inProject('merge_requests/{iid}/merge', 'merge_requests/{iid}/merge/'),
      risk: 'high',
    },
    {
      name: 'pipelines.read',
      methods: READ,
      paths: inProject(
        'pipelines',
        'pipelines/latest',
        'pipelines/{pipeline}',
        'pipelines/{pipeline}/jobs',
        'pipelines/{pipeline}/bridges',
        'pipelines/{pipeline}/test_report',
        'jobs/**',
        'environments/**',
        'deployments/**',
      ),
      risk: 'low',
    },
    {
      name: 'pipelines.retry',
      methods: ['POST'],
      paths: inProject(
        'pipelines/{pipeline}/retry',
        'pipelines/{pipeline}/cancel',
        'jobs/{job}/retry',
        'jobs/{job}/cancel',
      ),
      risk: 'medium',
    },
    // A manual job is often the deployment.
    {
      name: 'pipelines.run',
      methods: ['POST'],
      paths: inProject('pipeline', 'jobs/{job}/play', 'trigger/pipeline', 'pipeline_schedules/{schedule}/play'),
      risk: 'high',
    },
    { name: 'releases.read', methods: READ, paths: inProject('releases/**'), risk: 'low' },
    { name: 'releases.write', methods: ['POST', 'PUT'], paths: inProject('releases/**'), risk: 'high' },
    { name: 'packages.read', methods: READ, paths: inProject('packages/**', 'registry/repositories/**'), risk: 'low' },
    // These answers hold secrets in the clear.
    {
      name: 'secrets.read',
      methods: READ,
      paths: [
        ...inBoth('variables/**', 'deploy_tokens/**', 'access_tokens/**'),
        ...inProject('triggers/**', 'pipeline_schedules/**', 'pipelines/{pipeline}/variables/**', 'secure_files/**'),
        ...inProject('terraform/state/**'),
      ],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'secrets.write',
      methods: WRITE,
      paths: [
        ...inBoth('variables/**', 'deploy_tokens/**', 'access_tokens/**'),
        ...inProject('deploy_keys/**', 'triggers/**', 'secure_files/**'),
        `${API}/user/keys/**`,
        `${API}/personal_access_tokens/**`,
      ],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'branches.protect',
      methods: WRITE,
      paths: inProject(
        'protected_branches/**',
        'protected_tags/**',
        'protected_environments/**',
        'push_rule/**',
        'approvals/**',
        'approval_rules/**',
        'merge_requests/{iid}/approval_rules/**',
        'external_status_checks/**',
      ),
      risk: 'high',
      approval: 'required',
    },
    // All of these send what happens, or the code itself, to another server.
    {
      name: 'webhooks.write',
      methods: WRITE,
      paths: [...inBoth('hooks/**'), ...inProject('integrations/**', 'remote_mirrors/**')],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'access.write',
      methods: WRITE,
      paths: inBoth('members/**', 'invitations/**', 'access_requests/**', 'share/**'),
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'projects.create',
      methods: ['POST'],
      paths: [`${API}/projects`, `${PROJECT}/fork`, `${API}/groups`],
      risk: 'high',
    },
    {
      name: 'projects.settings',
      methods: ['PUT', 'POST'],
      paths: [PROJECT, `${PROJECT}/`, ...inProject('archive/**', 'unarchive/**', 'export/**', 'transfer/**')],
      risk: 'high',
      approval: 'required',
    },
    {
      name: 'projects.delete',
      methods: ['DELETE'],
      paths: [PROJECT, `${PROJECT}/`, GROUP, `${GROUP}/`],
      risk: 'high',
      approval: 'required',
    },
    { name: 'graphql', methods: ['POST'], paths: ['/api/graphql'], risk: 'high' },
    {
      name: 'other.write',
      methods: WRITE,
      paths: ['/**'],
      risk: 'high',
      approval: 'required',
    },
  ],
  limitSignals: [
    { statuses: [429], wait: { header: 'retry-after', as: 'retry-after' } },
    {
      statuses: [429],
      when: { header: 'ratelimit-remaining', equals: '0' },
      wait: { header: 'ratelimit-reset', as: 'epoch-seconds' },
    },
  ],
};
