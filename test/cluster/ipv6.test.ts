import { testLife } from './life.ts'

await testLife({ nodes: 2, families: [6] })
