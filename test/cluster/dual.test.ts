import { testLife } from './life.ts'

await testLife({ nodes: 3, families: [4, 6] })
